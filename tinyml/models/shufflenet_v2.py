"""ShuffleNetV2: half of the channels pass each block untouched, and a shuffle mixes the halves.

Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", 2018, arXiv:1807.11164, table 5
and figure 3.
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU, classify, conv, depthwise, divisible, finish, image_input
from tinyml.models.channels import shuffle, split
from tinyml.models.entry import Entry, Published

STAGES = ((116, 4), (232, 8), (464, 4))
"""Output channels at 1x and blocks of each stage (table 5)."""


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    head_channels: int = 1024,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "shufflenet_v2",
) -> Any:
    """Table 5 with the stages' channels times ``width``, made multiples of 4."""
    import keras

    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(24 * min(1.0, width)), 3, strides=2, activation=RELU, name="stem")
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (filters, blocks) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            x = _block(x, divisible(filters * width, 4), block == 1, f"stage{stage}_{block}")
    x = conv(x, head_channels, 1, activation=RELU, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _block(x: Any, filters: int, halve: bool, name: str) -> Any:
    """Figure 3c, or 3d where the image is halved and both halves of the output are computed."""
    import keras

    half = filters // 2
    if halve:
        kept = depthwise(x, 3, strides=2, activation=None, name=f"{name}_left_depthwise")
        kept = conv(kept, half, 1, activation=RELU, name=f"{name}_left")
    else:
        kept, x = split(x, (half, half))
    x = conv(x, half, 1, activation=RELU, name=f"{name}_reduce")
    x = depthwise(x, 3, strides=2 if halve else 1, activation=None, name=f"{name}_depthwise")
    x = conv(x, half, 1, activation=RELU, name=f"{name}_expand")
    return shuffle(keras.layers.Concatenate(name=f"{name}_concat")([kept, x]), 2, name=name)


_PAPER = "Ma et al. 2018, ShuffleNet V2, arXiv:1807.11164, table 5"

ROWS = (
    Entry(
        "shufflenet_v2_025_96",
        "shufflenet_v2",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25), ("head_channels", 256)),
        board="nano33ble",
    ),
    Entry(
        "shufflenet_v2_100_224",
        "shufflenet_v2",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("table 8 of the paper: 2.3 M, 146 M; torchvision counts 2,278,604", 2_278_604),
    ),
)
