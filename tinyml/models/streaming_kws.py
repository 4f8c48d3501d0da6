"""Streaming keyword spotting: SVDF layers, which factor a filter over features and time into two thin ones.

Alvarez and Park, "End-to-end Streaming Keyword Spotting", 2019, arXiv:1812.02802, section 3; sizes from
google-research/google-research, kws_streaming (``svdf``, about 30 K parameters). No layer pads time, so that on a
device each frame adds one step to every layer and nothing is computed twice.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import finish, image_input, scores
from tinyml.models.entry import Entry, Published

SMALL = ((4, 16, 40), (10, 32, 40), (10, 32, 64), (10, 32, 64), (10, 64, 64), (10, 128, 0))
"""Of each layer: frames remembered, feature filters, units of the projection (0: none)."""

TINY = ((4, 16, 16), (10, 16, 16), (10, 24, 24), (10, 32, 0))


def build(
    *,
    input_shape: tuple[int, ...] = (49, 40, 1),
    classes: int = 12,
    layers: tuple[tuple[int, int, int], ...] = SMALL,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "streaming_kws",
) -> Any:
    """SVDF ``layers``, then the mean over the frames that are left, if several, and a dense layer.

    The input is (frames, features, 1), float32. A layer is a dense one over a frame's features, a depthwise convolution
    over the frames remembered, ReLU, and a dense projection.
    """
    import keras

    frames, features = input_shape[:2]
    inputs = image_input(input_shape, batch_size)
    x = keras.layers.Reshape((frames, 1, features), name="frames")(inputs)
    for index, (memory, filters, units) in enumerate(layers, start=1):
        label = f"svdf{index}"
        x = keras.layers.Conv2D(filters, 1, use_bias=False, kernel_initializer="he_normal", name=f"{label}_features")(x)
        x = keras.layers.DepthwiseConv2D(
            (memory, 1),
            padding="valid",
            depthwise_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
            name=f"{label}_time",
        )(x)
        x = keras.layers.ReLU(name=f"{label}_relu")(x)
        if units:
            x = keras.layers.Conv2D(units, 1, kernel_initializer="he_normal", name=f"{label}_project")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout > 0:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return finish(inputs, scores(x, classes), name)


_PAPER = "Alvarez and Park 2019, End-to-end Streaming Keyword Spotting, arXiv:1812.02802, section 3"

ROWS = (
    Entry(
        "streaming_kws_49x10",
        "streaming_kws",
        "keyword_spotting",
        _PAPER,
        build,
        (("input_shape", (49, 10, 1)), ("layers", TINY)),
        board="nano33ble",
    ),
    Entry(
        "streaming_kws_svdf",
        "streaming_kws",
        "keyword_spotting",
        _PAPER,
        build,
        (),
        Published("google-research, kws_streaming, models with 30k parameters: 32K, cut after the K", 32_500, 1_000),
        board="nano33ble",
    ),
)
