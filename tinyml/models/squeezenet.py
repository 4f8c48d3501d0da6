"""SqueezeNet: fire modules, which squeeze channels by 1x1 convolutions before they expand them by 1x1 and 3x3 ones.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", 2016,
arXiv:1602.07360, table 1.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import MOST_PROBABILITIES, divisible, finish, image_input
from tinyml.models.entry import Entry, Published

FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Squeezed channels, and channels of each of the two expansions (table 1, fire2 to fire9)."""

POOLED_AFTER = (2, 6)
"""A max pool follows these fire modules, counted from 0, as it follows the first convolution."""


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    batch_norm: bool = False,
    stem_padding: tuple[int, int] = (0, 0),
    dropout: float = 0.5,
    batch_size: int | None = None,
    name: str = "squeezenet",
) -> Any:
    """The network of table 1 with channels times ``width``.

    ``batch_norm`` puts a batch norm behind every convolution, which the paper does not have: small sizes hardly learn
    without. ``stem_padding`` are rows and columns of zeros before and behind the image: one and two give 224 pixels the
    table's maps of 111, 55, 27 and 13. The classes' scores are the means of the last convolution's maps.
    """
    import keras

    def conv(x: Any, filters: int, kernel: int, label: str, strides: int = 1, padding: str = "same") -> Any:
        x = keras.layers.Conv2D(
            filters, kernel, strides=strides, padding=padding, kernel_initializer="he_normal", name=label
        )(x)
        if batch_norm:
            x = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{label}_bn")(x)
        return keras.layers.ReLU(name=f"{label}_relu")(x)

    inputs = image_input(input_shape, batch_size)
    x = inputs
    if any(stem_padding):
        x = keras.layers.ZeroPadding2D((stem_padding, stem_padding), name="stem_pad")(x)
    x = conv(x, divisible(96 * width), 7, "stem", strides=2, padding="valid")
    x = keras.layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for index, (squeezed, expanded) in enumerate(FIRES):
        label = f"fire{index + 2}"
        x = conv(x, divisible(squeezed * width), 1, f"{label}_squeeze")
        wide = divisible(expanded * width)
        x = keras.layers.Concatenate(name=f"{label}_concat")(
            [conv(x, wide, 1, f"{label}_expand1"), conv(x, wide, 3, f"{label}_expand3")]
        )
        if index in POOLED_AFTER:
            x = keras.layers.MaxPooling2D(3, strides=2, name=f"{label}_pool")(x)
    if dropout > 0:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Conv2D(classes, 1, activation="relu", kernel_initializer="he_normal", name="classifier")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if classes <= MOST_PROBABILITIES:
        x = keras.layers.Softmax(name="softmax")(x)
    return finish(inputs, x, name)


_PAPER = "Iandola et al. 2016, SqueezeNet, arXiv:1602.07360, table 1"

ROWS = (
    Entry(
        "squeezenet_025_96",
        "squeezenet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25), ("batch_norm", True), ("dropout", 0.0)),
        board="nano33ble",
    ),
    Entry(
        "squeezenet_100_224",
        "squeezenet",
        "image_classification",
        _PAPER,
        build,
        (("stem_padding", (1, 2)),),
        Published("table 1 of the paper; torchvision, squeezenet1_0", 1_248_424),
    ),
)
