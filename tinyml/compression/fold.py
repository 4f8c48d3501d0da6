"""A trained network in the form that the int8 kernels compute: batch norms folded, activations on their own.

A batch norm behind a convolution or dense layer is one multiplication and one addition a channel with its moving
averages (Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.1), so kernel and bias take it in (Jacob et al. 2018,
arXiv:1712.05877, section 3.2). The numbers that are quantised later are these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.compression.rebuild import Call, calls_of, copy_layer, flatten, rebuild
from tinyml.errors import UnsupportedError
from tinyml.tflite.quiet import import_keras

FloatArray = npt.NDArray[np.float32]


def kernel_layers() -> tuple[type, ...]:
    """The layers whose kernels are quantised."""
    layers = import_keras().layers
    return (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.Dense)


def has_kernel(layer: Any) -> bool:
    """Whether a layer's kernel is quantised."""
    return isinstance(layer, kernel_layers())


def is_depthwise(layer: Any) -> bool:
    """Whether a layer's kernel is (…, channels, multiplier), each output from one channel."""
    layers = import_keras().layers
    return isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D)


def fold(model: Any) -> Any:
    """A copy of a model for inference without the batch norms that follow kernels, and with linear kernels.

    Every activation that a layer holds becomes a layer. Outputs are those of ``model`` with ``training=False``, but for
    rounding. The original keeps its weights.

    Raises:
        UnsupportedError: the model is not functional, or has a layer with weights that cannot be trained quantised.
    """
    keras = import_keras()
    model = flatten(model)
    graph = calls_of(model)
    uses = graph.uses()
    folded = {id(norm.node) for call in graph.calls if (norm := _norm_behind(call, graph, uses)) is not None}
    copies: dict[int, Any] = {}

    def emit(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        layer = call.operation
        if id(call.node) in folded:
            return args[0]
        if not isinstance(call.operation, keras.layers.Layer):
            return layer(*args, **kwargs)
        if not has_kernel(layer):
            _check_other(layer)
            copy = copies.setdefault(id(layer), copy_layer(layer))
            result = copy(*args, **kwargs)
            copy.set_weights(layer.get_weights())
            return result
        norm = _norm_behind(call, graph, uses)
        bias = layer.use_bias or norm is not None
        copy = copies.setdefault(id(layer), copy_layer(layer, activation=None, use_bias=bias))
        result = copy(*args, **kwargs)
        kernel, *offset = [np.asarray(weight) for weight in layer.get_weights()]
        if norm is not None:
            kernel, offset = _folded(layer, kernel, offset, norm.operation)
        copy.set_weights([kernel, *offset])
        if layer.activation is keras.activations.linear:
            return result
        name = f"{layer.name}_{keras.activations.serialize(layer.activation)}" if uses[id(layer)] == 1 else None
        return keras.layers.Activation(layer.activation, name=name)(result)

    return rebuild(model, emit)


def _norm_behind(call: Call, graph: Any, uses: Mapping[int, int]) -> Call | None:
    """The batch norm over the last axis that alone follows a kernel without activation, called once."""
    keras = import_keras()
    layer = call.operation
    if not has_kernel(layer) or layer.activation is not keras.activations.linear:
        return None
    behind: Call | None = graph.sole_consumer(call)
    if behind is None or not isinstance(behind.operation, keras.layers.BatchNormalization):
        return None
    last = behind.operation.axis in (-1, len(call.outputs[0].shape) - 1)
    once = uses[id(layer)] == uses[id(behind.operation)] == 1
    return behind if last and once else None


def _folded(layer: Any, kernel: FloatArray, offset: list[FloatArray], norm: Any) -> tuple[FloatArray, list[FloatArray]]:
    gain = 1 / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    if norm.scale:
        gain = gain * np.asarray(norm.gamma)
    shift = -np.asarray(norm.moving_mean, np.float64)
    if offset:
        shift = shift + offset[0]
    bias = shift * gain + (np.asarray(norm.beta) if norm.center else 0.0)
    shape = kernel.shape[-2:] if is_depthwise(layer) else kernel.shape[-1:]
    return (kernel * gain.reshape(shape)).astype(np.float32), [bias.astype(np.float32)]


def _check_other(layer: Any) -> None:
    """Refuse layers whose weights would stay in float while training and be rounded afterwards."""
    keras = import_keras()
    if layer.trainable_weights and not isinstance(layer, keras.layers.BatchNormalization | keras.layers.PReLU):
        raise UnsupportedError(
            f"layer {layer.name!r} ({type(layer).__name__}) has no quantised form to train with",
            hint="use Conv1D, Conv2D, DepthwiseConv2D and Dense, or quantise without training",
        )
