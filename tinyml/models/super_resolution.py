"""Super-resolution by sub-pixel convolution: all work is done on the small image; channels become pixels at the end.

Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network" (ESPCN), 2016, arXiv:1609.05158, section 3.2: three layers, 5x5 of 64 filters, 3x3 of 32 and 3x3 of the factor
squared, with tanh.
"""

from __future__ import annotations

import functools
from typing import Any

from tinyml.models.blocks import finish, image_input
from tinyml.models.entry import Entry, Published
from tinyml.tflite.keras_layers import makes_layers


def build(
    *,
    input_shape: tuple[int, ...] = (64, 64, 1),
    factor: int = 3,
    filters: tuple[int, ...] = (64, 32),
    activation: str = "tanh",
    batch_size: int | None = None,
    name: str = "super_resolution",
) -> Any:
    """Enlarge an image of any channels by ``factor``; the output is (height * factor, width * factor, channels)."""
    import keras

    channels = input_shape[2]
    x = inputs = image_input(input_shape, batch_size)
    for index, count in enumerate(filters, start=1):
        x = keras.layers.Conv2D(
            count,
            5 if index == 1 else 3,
            padding="same",
            activation=activation,
            kernel_initializer="he_normal",
            name=f"conv{index}",
        )(x)
    x = keras.layers.Conv2D(
        channels * factor**2, 3, padding="same", kernel_initializer="glorot_uniform", name="subpixels"
    )(x)
    return finish(inputs, depth_to_space(x, factor, name="enlarge"), name)


def depth_to_space(x: Any, factor: int, *, name: str) -> Any:
    """Spread channels over pixels: (h, w, c * factor^2) becomes (h * factor, w * factor, c) (equation 4)."""
    return depth_to_space_layer()(factor, name=name)(x)


@makes_layers
@functools.cache
def depth_to_space_layer() -> type:
    """The layer's class, made on first use and registered with Keras so that files which hold it load."""
    import keras

    @keras.saving.register_keras_serializable("tinyml")
    class DepthToSpace(keras.layers.Layer):  # type: ignore[misc]
        """TFLite's DEPTH_TO_SPACE."""

        def __init__(self, factor: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factor": self.factor}

        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            return tf.nn.depth_to_space(inputs, self.factor)

        def compute_output_shape(self, input_shape: Any) -> Any:
            batch, height, width, channels = input_shape
            return (batch, height * self.factor, width * self.factor, channels // self.factor**2)

    made: type = DepthToSpace
    return made


_PAPER = "Shi et al. 2016, ESPCN, arXiv:1609.05158, section 3.2"

ROWS = (
    Entry(
        "super_resolution_48",
        "super_resolution",
        "super_resolution",
        _PAPER,
        build,
        (("input_shape", (48, 48, 1)), ("factor", 2), ("filters", (16, 8)), ("activation", "relu")),
        board="nano33ble",
    ),
    Entry(
        "super_resolution_espcn",
        "super_resolution",
        "super_resolution",
        _PAPER,
        build,
        (),
        Published("section 3.2 of the paper: 5x5x1x64, 3x3x64x32 and 3x3x32x9 weights and their biases", 22_729),
        board="nucleo_h743zi",
    ),
)
