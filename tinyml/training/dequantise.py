"""An int8 ``.tflite`` back into the Keras network that it was converted from: weights times their scales.

The trained models that ship with tinyml are int8 files. Conversion folded each batch norm into the convolution before
it, so the kernels hold its scale and the biases its offset: the batch norms come back doing nothing but adding that
bias. Rounding to int8 stays in the weights: half a step of each channel's scale at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import ABSENT, Graph, Op, Tensor
from tinyml.models.catalog import build_model, find_entry
from tinyml.tflite.quiet import import_keras
from tinyml.tflite.read import read_graph
from tinyml.training.definition import options_from_json

Reals = npt.NDArray[np.float64]
KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def dequantised(content: bytes, manifest: Mapping[str, Any]) -> Any:
    """The catalogue's network that ``manifest`` names, float32, with the weights of the ``.tflite`` in ``content``.

    ``manifest`` is the one beside the file: ``model`` (its name and options), ``labels``, ``input``.

    Raises:
        UnsupportedError: the file's layers are not those of the network.
    """
    told = manifest["model"]
    entry = find_entry(str(told["name"]))
    options = {**options_from_json(told.get("options", {})), "input_shape": tuple(manifest["input"]["shape"])}
    if "classes" in entry.defaults:
        options["classes"] = len(manifest["labels"])
    import_keras()
    model = build_model(entry.name, **options)
    fill(model, read_graph(content, name=entry.name))
    return model


def fill(model: Any, graph: Graph) -> None:
    """Put the weights of ``graph`` into the layers of ``model`` that its tensors are named after.

    Raises:
        UnsupportedError: a layer of ``model`` finds no weights, or such of another shape.
    """
    keras = import_keras()
    kernels = {
        layer.name: layer for layer in model.layers if isinstance(getattr(layer, "kernel", None), keras.Variable)
    }
    norms = {id(layer.input): layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    filled: set[str] = set()
    for op in graph.ops:
        if op.kind not in KINDS:
            continue
        name = _layer(graph.tensors[op.inputs[1]].name, kernels) or _layer(op.name, kernels)
        if name is None:
            continue
        layer = kernels[name]
        norm = norms.get(id(layer.output))
        _fill_layer(layer, norm, _kernel(graph, op, layer), _bias(graph, op))
        filled.add(name)
    missing = [name for name in kernels if name not in filled]
    if missing:
        raise UnsupportedError(
            f"layer {missing[0]!r} of {model.name} has no weights in the file", hint="take a .keras file instead"
        )


def _layer(tensor_name: str, kernels: Mapping[str, Any]) -> str | None:
    """The layer that a tensor is named after: ``block1_bn/batchnorm/mul;block1/depthwise`` belongs to ``block1``."""
    return next((part for part in re.split("[;/]", tensor_name) if part in kernels), None)


def _kernel(graph: Graph, op: Op, layer: Any) -> Reals:
    """The weights in Keras' order: height, width, inputs, outputs; depthwise height, width, channels, multiplier."""
    values = real(graph.tensors[op.inputs[1]])
    shape = tuple(int(side) for side in layer.kernel.shape)
    if op.kind == "FULLY_CONNECTED":
        values = values.T
    elif op.kind == "CONV_2D":
        values = values.transpose(1, 2, 3, 0)
    else:
        values = values.reshape(shape) if values.size == int(np.prod(shape)) else values
    if values.shape != shape:
        raise UnsupportedError(
            f"layer {layer.name!r} has weights of {values.shape} in the file, the network of {shape}",
            hint="the file was made from other options; take a .keras file instead",
        )
    return values


def _bias(graph: Graph, op: Op) -> Reals | None:
    if len(op.inputs) < 3 or op.inputs[2] == ABSENT:
        return None
    return real(graph.tensors[op.inputs[2]])


def real(tensor: Tensor) -> Reals:
    """The real values of a constant tensor: (code - zero point) x scale, by channel where it has several."""
    assert tensor.data is not None
    assert tensor.quant is not None
    shape = [1] * len(tensor.shape)
    if len(tensor.quant.scales) > 1:
        shape[tensor.quant.axis] = len(tensor.quant.scales)
    scales = np.asarray(tensor.quant.scales, np.float64).reshape(shape)
    zero_points = np.asarray(tensor.quant.zero_points, np.float64)
    return (
        tensor.data.astype(np.float64) - (zero_points.reshape(shape) if zero_points.size > 1 else zero_points)
    ) * scales


def _fill_layer(layer: Any, norm: Any, kernel: Reals, bias: Reals | None) -> None:
    channels = int(layer.output.shape[-1])
    offset = np.zeros(channels) if bias is None else bias
    if getattr(layer, "bias", None) is not None:
        layer.set_weights([kernel, offset])
        offset = np.zeros(channels)
    else:
        layer.set_weights([kernel])
    if norm is not None:
        one = np.full(channels, np.sqrt(1.0 + norm.epsilon))
        norm.set_weights([one, offset, np.zeros(channels), np.ones(channels)])
    elif offset.any():
        raise UnsupportedError(
            f"layer {layer.name!r} adds a bias in the file, and the network has none there",
            hint="take a .keras file instead",
        )
