"""SqueezeNext: bottlenecks of two squeezing 1x1 convolutions and a 3x3 one taken apart into 1x3 and 3x1.

Gholami et al., "SqueezeNext: Hardware-Aware Neural Network Design", 2018, arXiv:1803.10615, figure 1 and table 1;
1.0-SqNxt-23 as in the authors' code (amirgholami/SqueezeNext, 1.0-SqNxt-23).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, activate, classify, conv, divisible, finish, image_input
from tinyml.models.entry import Entry, Published

STAGES = ((32, 6), (64, 6), (128, 8), (256, 1))
"""Output channels and blocks of each stage; every stage but the first begins with stride 2."""


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "squeezenext",
) -> Any:
    """1.0-SqNxt-23 with channels times ``width``."""
    import keras

    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(64 * width), 7, strides=2, activation=RELU, name="stem")
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (filters, blocks) in enumerate(STAGES, start=1):
        for block in range(1, blocks + 1):
            strides = 2 if block == 1 and stage > 1 else 1
            x = _block(x, divisible(filters * width), strides, f"stage{stage}_{block}")
    x = conv(x, divisible(128 * width), 1, activation=RELU, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _block(x: Any, filters: int, strides: int, name: str) -> Any:
    """Figure 1, right: the channels shrink to a half, to a quarter, and grow back over 1x3, 3x1 and 1x1."""
    import keras

    before = x.shape[-1]
    share = 1 if strides > 1 else 4 if before > filters else 2
    shortcut = x
    if strides > 1 or before > filters:
        shortcut = conv(x, filters, 1, strides=strides, activation=RELU, name=f"{name}_shortcut")
    x = conv(x, max(1, before // share), 1, strides=strides, activation=RELU, name=f"{name}_squeeze1")
    x = conv(x, max(1, before // (2 * share)), 1, activation=RELU, name=f"{name}_squeeze2")
    x = conv(x, max(1, before // share), (1, 3), activation=RELU, name=f"{name}_row")
    x = conv(x, max(1, before // share), (3, 1), activation=RELU, name=f"{name}_column")
    x = conv(x, filters, 1, activation=RELU, name=f"{name}_expand")
    return activate(keras.layers.Add(name=f"{name}_add")([shortcut, x]), RELU, name)


_PAPER = "Gholami et al. 2018, SqueezeNext, arXiv:1803.10615, table 1"

ROWS = (
    Entry(
        "squeezenext_050_96",
        "squeezenext",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.5)),
        board="nano33ble",
    ),
    Entry(
        "squeezenext_23_224",
        "squeezenext",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("table 3 of the paper, 1.0-SqNxt-23: 0.72 M", 720_000, 10_000, within=0.01),
    ),
)
