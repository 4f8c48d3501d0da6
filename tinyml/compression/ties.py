"""Which tensors of a network have to share one int8 scale, and where values are rounded.

TFLite's int8 kernels of pooling, concatenation and data movement copy or average codes without a requantisation, so
that their outputs have the scale of their inputs (the TFLite 8-bit quantisation specification, "same scale").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml.compression.rebuild import Call, Calls
from tinyml.errors import UnsupportedError
from tinyml.tflite.quiet import import_keras

SAME_RANGE = (
    "MaxPooling1D",
    "MaxPooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Flatten",
    "Reshape",
    "Permute",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "Cropping1D",
    "Cropping2D",
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "UpSampling2D",
    "Identity",
)
"""Layers that only move or choose values."""

AVERAGES = ("AveragePooling1D", "AveragePooling2D")
"""Their output has the input's scale, too, but is rounded once more."""

FIXED_OUTPUT = ("softmax", "sigmoid", "tanh")
"""Activations whose int8 output scale TFLite prescribes (1/256, 1/256, 1/128)."""

FUSES = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense", "Add", "Subtract", "Multiply")
"""Layers that take a ReLU behind them into the same kernel, so that nothing is rounded between."""


@dataclass(frozen=True)
class Site:
    """A place where values are rounded: the group of tensors whose range applies, and how that range is observed.

    ``observe`` is ``follow`` where the range follows the values, ``grow`` where they only widen it (another place of
    the group sees all of its values), ``none`` where they cannot leave it.
    """

    group: int
    observe: str


@dataclass(frozen=True, eq=False)
class Sites:
    """The places of a network where values are rounded: at inputs by their index, behind calls by node's ``id``."""

    at_inputs: tuple[Site, ...]
    behind: dict[int, Site]
    names: dict[int, str]


def find_sites(graph: Calls, given_inputs: frozenset[int]) -> Sites:
    """Where a folded network's int8 form rounds; ``given_inputs`` are the inputs whose range is prescribed.

    Raises:
        UnsupportedError: a concatenation joins tensors of prescribed and of free ranges.
    """
    parent: dict[int, int] = {}

    def root(tensor: Any) -> int:
        key = id(tensor)
        while parent.get(key, key) != key:
            key = parent[key]
        return key

    for call in graph.calls:
        if kind(call.operation) in (*SAME_RANGE, *AVERAGES, "Concatenate") or _is_linear(call.operation):
            for tensor in (*call.inputs, *call.outputs[1:]):
                parent[root(tensor)] = root(call.outputs[0])
    widest = {root(c.outputs[0]): id(c.node) for c in graph.calls if kind(c.operation) == "Concatenate"}
    _check_given(graph, given_inputs, root, widest)
    names: dict[int, str] = {}
    behind = {}
    at_inputs = []
    for tensor in graph.model.inputs:
        at_inputs.append(Site(root(tensor), "grow" if root(tensor) in widest else "follow"))
        names.setdefault(root(tensor), tensor.name)
    for call in graph.calls:
        group, node = root(call.outputs[0]), id(call.node)
        if kind(call.operation) in AVERAGES:
            behind[node] = Site(group, "none")
        elif widest.get(group) == node:
            behind[node] = Site(group, "follow")
        elif _rounded(call, graph):
            behind[node] = Site(group, "grow" if group in widest else "follow")
        else:
            continue
        names.setdefault(group, call.operation.name)
    return Sites(tuple(at_inputs), behind, names)


def kind(layer: Any) -> str:
    """The name of a layer's class."""
    return type(layer).__name__


def _check_given(graph: Calls, given_inputs: frozenset[int], root: Any, widest: dict[int, int]) -> None:
    prescribed = [tensor for index, tensor in enumerate(graph.model.inputs) if index in given_inputs]
    prescribed += [call.outputs[0] for call in graph.calls if activation_of(call.operation) in FIXED_OUTPUT]
    for tensor in prescribed:
        if root(tensor) in widest:
            raise UnsupportedError(
                f"{tensor.name!r} has a prescribed int8 scale and is concatenated with others",
                hint="put a convolution between, or quantise without training",
            )


def _rounded(call: Call, graph: Calls) -> bool:
    """Whether the int8 file has new values behind this call: something computed, and not only half of a kernel."""
    layer = call.operation
    moves = kind(layer) in (*SAME_RANGE, "Concatenate") or _is_linear(layer)
    if moves or activation_of(layer) in FIXED_OUTPUT:
        return False
    if kind(layer) not in FUSES:
        return True
    behind = graph.sole_consumer(call)
    return behind is None or not is_fused_relu(behind.operation)


def is_fused_relu(layer: Any) -> bool:
    """Whether a layer is a ReLU or ReLU6 that a kernel applies itself."""
    if kind(layer) == "ReLU":
        return layer.max_value in (None, 6.0) and not layer.negative_slope and not layer.threshold
    return activation_of(layer) in ("relu", "relu6")


def _is_linear(layer: Any) -> bool:
    return activation_of(layer) == "linear"


def activation_of(layer: Any) -> str | None:
    """The name of the function that an activation layer applies."""
    if kind(layer) == "Softmax":
        return "softmax"
    if kind(layer) != "Activation":
        return None
    name = import_keras().activations.serialize(layer.activation)
    return name if isinstance(name, str) else None
