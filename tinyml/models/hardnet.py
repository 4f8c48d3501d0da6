"""HarDNet-39DS: layers that read earlier ones at distances of powers of two, as overtones do, over depthwise pairs.

Chao et al., "HarDNet: A Low Memory Traffic Network", 2019, arXiv:1909.00948, section 3; sizes from the authors' code
(PingoLH/Pytorch-HarDNet, hardnet.py, arch 39 with depth_wise).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import classify, conv, depthwise, divisible, finish, image_input
from tinyml.models.entry import Entry, Published

FIRST = (24, 48)
BLOCKS = ((16, 4, 96, True), (20, 16, 320, True), (64, 8, 640, True), (160, 4, 1024, False))
"""Growth rate, layers, channels of the transition, and whether its image is halved."""
MULTIPLIER = 1.6
"""By how much a layer grows for each power of two that divides its number."""


def links(layer: int) -> list[int]:
    """The earlier layers that layer ``layer`` (from 1) reads; 0 is the block's input."""
    return [layer - 2**power for power in range(10) if layer % 2**power == 0]


def growth(layer: int, rate: int, multiplier: float) -> int:
    """Channels of layer ``layer``: ``rate`` times ``multiplier`` for each link beyond the first, made even."""
    channels = rate * multiplier ** (len(links(layer)) - 1)
    return int(int(channels + 1) / 2) * 2


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.05,
    batch_size: int | None = None,
    name: str = "hardnet",
) -> Any:
    """HarDNet-39DS with channels and growth rates times ``width``."""
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(FIRST[0] * width), 3, strides=2, name="stem1")
    x = conv(x, divisible(FIRST[1] * width), 1, name="stem2")
    x = depthwise(x, 3, strides=2, activation=None, name="stem_halve")
    for index, (rate, layers, filters, halved) in enumerate(BLOCKS, start=1):
        x = _block(x, max(2, round(rate * width)), layers, f"block{index}")
        x = conv(x, divisible(filters * width), 1, name=f"transition{index}")
        if halved:
            x = depthwise(x, 3, strides=2, activation=None, name=f"transition{index}_halve")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def _block(x: Any, rate: int, layers: int, name: str) -> Any:
    """Odd layers and the last are what the block gives; the others only serve within it."""
    import keras

    made = [x]
    for layer in range(1, layers + 1):
        read = [made[index] for index in links(layer)]
        joined = keras.layers.Concatenate(name=f"{name}_join{layer}")(read) if len(read) > 1 else read[0]
        joined = conv(joined, growth(layer, rate, MULTIPLIER), 1, name=f"{name}_layer{layer}")
        made.append(depthwise(joined, 3, activation=None, name=f"{name}_layer{layer}_depthwise"))
    given = [layer for index, layer in enumerate(made) if index == layers or index % 2 == 1]
    return keras.layers.Concatenate(name=f"{name}_concat")(given)


_PAPER = "Chao et al. 2019, HarDNet, arXiv:1909.00948, section 3"

ROWS = (
    Entry(
        "hardnet_025_96",
        "hardnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25)),
        board="nano33ble",
    ),
    Entry(
        "hardnet_39ds_224",
        "hardnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("PingoLH/Pytorch-HarDNet, README, HarDNet-39DS: 3.5 M; its code counts 3,488,228", 3_488_228),
    ),
)
