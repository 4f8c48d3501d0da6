"""Layers that compute as int8 does, in float: kernels and activations rounded, gradients let through.

The classes need Keras and are therefore made on first use; :func:`quantised_layers` also registers them with Keras, so
that files which hold them load.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.tflite.quiet import import_keras, import_tensorflow

PACKAGE = "tinyml"
LEVELS = 127
SMALLEST_RANGE = 1e-6


@dataclass(frozen=True)
class QuantisedLayers:
    """The classes: an activation's range, and the form of each layer with a kernel."""

    Range: type
    by_layer: dict[type, type]


def round_kernel(kernel: npt.NDArray[np.float32], depthwise: bool, per_channel: bool) -> npt.NDArray[np.float32]:
    """The kernel as int8 holds it: multiples of ``max|w| / 127`` for each output channel, or for the whole kernel.

    The scheme of the TFLite 8-bit quantisation specification: symmetric, -127 to 127.
    """
    axes = _reduced(kernel.ndim, depthwise) if per_channel else tuple(range(kernel.ndim))
    scale = np.abs(kernel).max(axis=axes, keepdims=True).astype(np.float32) / np.float32(LEVELS)
    scale = np.where(scale > 0, scale, np.float32(1))
    rounded: npt.NDArray[np.float32] = (np.clip(np.round(kernel / scale), -LEVELS, LEVELS) * scale).astype(np.float32)
    return rounded


@functools.cache
def quantised_layers() -> QuantisedLayers:
    """Make and register the layers."""
    keras, tf = import_keras(), import_tensorflow()
    ops, layers = keras.ops, keras.layers

    def rounded(kernel: Any, depthwise: bool, per_channel: bool) -> Any:
        axes = _reduced(len(kernel.shape), depthwise) if per_channel else None
        # the scale is a constant to the gradient: the straight-through estimator (Bengio et al. 2013, arXiv:1308.3432)
        scale = ops.stop_gradient(ops.max(ops.abs(kernel), axis=axes, keepdims=True)) / LEVELS
        scale = ops.where(scale > 0, scale, ops.ones_like(scale))
        nearest = ops.clip(ops.round(kernel / scale), -LEVELS, LEVELS) * scale
        return kernel + ops.stop_gradient(nearest - kernel)

    def with_kernel(base: type, depthwise: bool) -> type:
        class Quantised(base):  # type: ignore[misc]
            """A layer whose kernel is rounded to int8 in every call."""

            def __init__(self, *args: Any, per_channel: bool = True, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.per_channel = per_channel
                self.passing = False

            def get_config(self) -> dict[str, Any]:
                return {**super().get_config(), "per_channel": self.per_channel}

            def call(self, inputs: Any) -> Any:
                kernel = self.kernel if self.passing else rounded(self.kernel, depthwise, self.per_channel)
                if base is layers.Dense:
                    result = ops.matmul(inputs, kernel)
                elif depthwise:
                    result = ops.depthwise_conv(
                        inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate
                    )
                else:
                    result = self.convolution_op(inputs, kernel)
                return result + self.bias if self.use_bias else result

        Quantised.__name__ = Quantised.__qualname__ = f"Quantised{base.__name__}"
        registered: type = keras.saving.register_keras_serializable(PACKAGE)(Quantised)
        return registered

    @keras.saving.register_keras_serializable(PACKAGE)
    class Range(layers.Layer):  # type: ignore[misc, name-defined]
        """Rounds to the 256 steps of a range, which holds 0.

        The range is ``fixed``, or an exponential average of the batches' extremes (Jacob et al. 2018, section 3.1), or
        ``learned`` by the gradient of its ends (Choi et al. 2018, arXiv:1805.06085, for both ends).
        """

        def __init__(self, mode: str = "averaged", momentum: float = 0.95, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.mode, self.momentum = mode, momentum
            self.passing = False
            learned = mode == "learned"
            self.low = self.add_weight(shape=(), name="low", initializer="zeros", trainable=learned)
            self.high = self.add_weight(shape=(), name="high", initializer="ones", trainable=learned)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "mode": self.mode, "momentum": self.momentum}

        def limits(self) -> tuple[np.float32, np.float32]:
            """The range in use: float32, at most 0 and at least 0."""
            low, high = min(np.float32(self.low), np.float32(0)), max(np.float32(self.high), np.float32(0))
            return np.float32(low), np.float32(max(high, np.float32(low + np.float32(SMALLEST_RANGE))))

        def call(self, inputs: Any, training: bool | None = None, observe: str = "follow") -> Any:
            if self.passing:
                return inputs
            if training and observe != "none" and self.mode == "averaged":
                low = _over_replicas(ops.stop_gradient(ops.minimum(ops.min(inputs), 0.0)), ops.min)
                high = _over_replicas(ops.stop_gradient(ops.maximum(ops.max(inputs), 0.0)), ops.max)
                if observe == "grow":
                    low, high = ops.minimum(low, self.low), ops.maximum(high, self.high)
                for variable, seen in ((self.low, low), (self.high, high)):
                    variable.assign(self.momentum * variable + (1 - self.momentum) * seen)
            if self.mode == "fixed":
                low, high = ops.convert_to_tensor(self.low), ops.convert_to_tensor(self.high)
            else:
                low, high = ops.minimum(self.low, 0.0), ops.maximum(self.high, 0.0)
                high = ops.maximum(high, low + SMALLEST_RANGE)
            return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, num_bits=8)

        def compute_output_spec(self, inputs: Any, training: bool | None = None, observe: str = "follow") -> Any:
            return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)

    forms = {
        base: with_kernel(base, "Depthwise" in base.__name__)
        for base in (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.Dense)
    }
    return QuantisedLayers(Range, forms)


def _over_replicas(value: Any, pick: Callable[[Any], Any]) -> Any:
    """A scalar of this replica's part of a batch, picked over all replicas: their ranges stay alike."""
    tf = import_tensorflow()
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return pick(context.all_gather(tf.reshape(value, (1,)), axis=0))


def _reduced(rank: int, depthwise: bool) -> tuple[int, ...]:
    """The axes of a kernel over which a channel's scale is shared."""
    return tuple(range(rank - 2 if depthwise else rank - 1))
