"""Binarised layers: weights and activations that are -1 or 1 in the forward pass, real in the backward pass.

Courbariaux, Hubara et al., "Binarized Neural Networks", 2016, arXiv:1602.02830, section 1: the sign forward, and the
gradient of hard tanh backward (the straight-through estimator, equation 4). Works in any model:
:func:`binary_layers` gives the layers, :func:`baked` the kernel to convert.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.tflite.keras_layers import makes_layers

PACKAGE = "tinyml"
STEEPNESS = 32.0
"""The converted sign begins with ``clip(32 x, -1, 1)``, which TFLite can fold into the layer before."""
_STEEPER, _HALF = 512.0, 0.5


@dataclass(frozen=True)
class BinaryLayers:
    """The classes: a convolution and a dense layer with binary kernels, and the sign as an activation."""

    Conv2D: Any
    Dense: Any
    Sign: Any


def baked(kernel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A kernel of any shape as the forward pass uses it: 1 where it is not negative, else -1."""
    return np.where(kernel >= 0, np.float32(1), np.float32(-1))


@makes_layers
@functools.cache
def random_signs() -> type:
    """The class of an initialiser of -1 and 1, for networks that nobody has trained."""
    import keras

    @keras.saving.register_keras_serializable(PACKAGE)
    class RandomSigns(keras.initializers.Initializer):  # type: ignore[misc]
        """-1 or 1, as likely as each other."""

        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            drawn = keras.random.uniform(shape, dtype=dtype)
            return keras.ops.where(drawn < 0.5, -keras.ops.ones_like(drawn), keras.ops.ones_like(drawn))

    made: type = RandomSigns
    return made


@makes_layers
@functools.cache
def binary_layers() -> BinaryLayers:
    """The layers, made on first use and registered with Keras so that files which hold them load."""
    import keras

    ops, layers = keras.ops, keras.layers

    def sign(x: Any) -> Any:
        hard = ops.clip(x, -1.0, 1.0)
        return hard + ops.stop_gradient(ops.where(x >= 0, ops.ones_like(x), -ops.ones_like(x)) - hard)

    def limited(x: Any) -> Any:
        return ops.clip(x, -1.0, 1.0)

    def converted_sign(x: Any) -> Any:
        """-1 and 1 alone also as int8, which has no sign in TFLite: what is zero goes up by a half, then away from it.

        Every step stays within -1 and 1: conversion calibrates the range of what it can compute in place too wide
        otherwise.
        """
        return limited(_STEEPER * limited(limited(_STEEPER * limited(STEEPNESS * x)) + _HALF))

    @keras.saving.register_keras_serializable(PACKAGE)
    class BinaryConv2D(layers.Conv2D):  # type: ignore[misc, name-defined]
        """A convolution whose kernel is its sign."""

        def call(self, inputs: Any) -> Any:
            result = self.convolution_op(inputs, sign(self.kernel))
            return result + self.bias if self.use_bias else result

    @keras.saving.register_keras_serializable(PACKAGE)
    class BinaryDense(layers.Dense):  # type: ignore[misc, name-defined]
        """A dense layer whose kernel is its sign."""

        def call(self, inputs: Any) -> Any:
            result = ops.matmul(inputs, sign(self.kernel))
            return result + self.bias if self.use_bias else result

    @keras.saving.register_keras_serializable(PACKAGE)
    class Sign(layers.Layer):  # type: ignore[misc, name-defined]
        """The sign while it learns; steep and clipped in inference, as converted: one table behind a layer."""

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            return sign(inputs) if training else converted_sign(inputs)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    return BinaryLayers(BinaryConv2D, BinaryDense, Sign)
