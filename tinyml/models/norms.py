"""Layer, group and RMS norm for Keras, written so that a converted network computes all of them in int8.

Keras' own layer norm leaves NEG and SQUARE behind, which the int8 converter keeps in float32. Here a row is divided by
its length, and the gain takes the root of the number of channels: the converter makes one L2_NORMALIZATION of that,
which sums exactly, so that rows of small and of large deviation fare alike (22 dB where they lie 20:1 apart, 15 dB
with their variance rounded to int8). The power of a whole example stays MUL, MEAN and RSQRT: among so many values each
is too small beside their length for an output in steps of 1/128.
"""

from __future__ import annotations

import functools
from typing import Any

from tinyml.tflite.keras_layers import makes_layers

EPSILON = 1e-5
LARGEST_EPSILON = 9e-4
"""The converter takes a sum of squares with more than a thousandth added to it for no norm."""

PACKAGE = "tinyml"


def layer_norm(x: Any, *, name: str) -> Any:
    """Bring each position's channels to mean 0 and variance 1, then a gain and an offset a channel.

    ``x`` is a Keras tensor of shape (batch, ..., channels), float32: ``(x - mean) / sqrt(variance + epsilon) * gamma +
    beta`` (Ba et al. 2016, arXiv:1607.06450, equation 4).
    """
    return norm_layers()["LayerNorm"](name=name)(x)


def whole_norm(x: Any, *, name: str) -> Any:
    """The same over all positions and channels of an example: group norm of one group (arXiv:1803.08494, section 3)."""
    return norm_layers()["WholeNorm"](name=name)(x)


def rms_norm(x: Any, *, name: str) -> Any:
    """Divide each position's channels by their root mean square, then a gain each (arXiv:1910.07467, equation 4)."""
    return norm_layers()["RMSNorm"](name=name)(x)


@makes_layers
@functools.cache
def norm_layers() -> dict[str, type]:
    """The layers' classes by name, made on first use and registered with Keras so that files which hold them load."""
    import keras

    def of_unit_power(x: Any, epsilon: float) -> Any:
        """``x / sqrt(mean(x^2) + epsilon)`` over the last dimension, but for the root of the number of channels.

        Rows of their own: the converter would join a difference and its square, and find no norm.
        """
        channels = x.shape[-1]
        rows = keras.ops.reshape(x, (-1, channels))
        power = keras.ops.sum(keras.ops.square(rows), axis=-1, keepdims=True) + min(channels * epsilon, LARGEST_EPSILON)
        return keras.ops.reshape(rows * keras.ops.rsqrt(power), (-1, *x.shape[1:]))

    @keras.saving.register_keras_serializable(PACKAGE)
    class LayerNorm(keras.layers.Layer):  # type: ignore[misc]
        """See :func:`layer_norm`."""

        def __init__(self, epsilon: float = EPSILON, **options: Any) -> None:
            super().__init__(**options)
            self.epsilon = epsilon

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            """One gain and one offset a channel."""
            self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones")
            self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros")

        def call(self, x: Any) -> Any:
            """The normalised tensor."""
            deviation = x - keras.ops.mean(x, axis=-1, keepdims=True)
            return of_unit_power(deviation, self.epsilon) * (self.gamma * x.shape[-1] ** 0.5) + self.beta

        def get_config(self) -> dict[str, Any]:
            """What makes the layer again."""
            return {**super().get_config(), "epsilon": self.epsilon}

    @keras.saving.register_keras_serializable(PACKAGE)
    class WholeNorm(LayerNorm):
        """See :func:`whole_norm`."""

        def call(self, x: Any) -> Any:
            """The normalised tensor."""
            axes = tuple(range(1, len(x.shape)))
            deviation = x - keras.ops.mean(x, axis=axes, keepdims=True)
            variance = keras.ops.mean(deviation * deviation, axis=axes, keepdims=True)
            return deviation * keras.ops.rsqrt(variance + self.epsilon) * self.gamma + self.beta

    @keras.saving.register_keras_serializable(PACKAGE)
    class RMSNorm(LayerNorm):
        """See :func:`rms_norm`."""

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            """One gain a channel."""
            self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones")

        def call(self, x: Any) -> Any:
            """The divided tensor."""
            return of_unit_power(x, self.epsilon) * (self.gamma * x.shape[-1] ** 0.5)

    return {kind.__name__: kind for kind in (LayerNorm, WholeNorm, RMSNorm)}
