"""MobileViTv3: MobileViT's block with a simpler fusion, a shortcut and a depthwise local convolution.

Wadekar, Chaurasia, "MobileViTv3: Mobile-Friendly Vision Transformer with Simple and Effective Fusion of Local, Global
and Input Features", 2022, arXiv:2209.15159, section 3 and figure 1; widths from its code (micronDLA/MobileViTv3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyml.models.attention import encoder, from_patches, to_patches
from tinyml.models.blocks import classify, conv, depthwise, finish, image_input
from tinyml.models.entry import Entry, Published
from tinyml.models.mobilevit import DEPTHS, HEADS, PATCH, SILU, stage
from tinyml.models.norms import layer_norm


def block(x: Any, size: int, depth: int, *, name: str) -> Any:
    """Depthwise 3x3, transformer, 1x1 fusion of the local and the global features, and the input added."""
    import keras

    height, width, channels = x.shape[1:]
    local = depthwise(x, 3, activation=SILU, name=f"{name}_local")
    local = keras.layers.Conv2D(size, 1, use_bias=False, name=f"{name}_embed")(local)
    y = to_patches(local, PATCH, name=f"{name}_unfold")
    for index in range(depth):
        y = encoder(y, HEADS, 2 * size, SILU, name=f"{name}_layer{index}")
    y = layer_norm(y, name=f"{name}_norm")
    y = from_patches(y, (height, width), PATCH, name=f"{name}_fold")
    y = conv(y, channels, 1, activation=SILU, name=f"{name}_project")
    y = keras.layers.Concatenate(name=f"{name}_concat")([local, y])
    y = conv(y, channels, 1, activation=SILU, name=f"{name}_fuse")
    return keras.layers.Add(name=f"{name}_add")([x, y])


def build(
    *,
    input_shape: tuple[int, ...] = (256, 256, 3),
    classes: int = 1000,
    channels: Sequence[int] = (16, 16, 24, 64, 80, 128),
    sizes: Sequence[int] = (64, 80, 96),
    depths: Sequence[int] = DEPTHS,
    expansion: int = 2,
    dropout: float = 0.1,
    batch_size: int | None = None,
    name: str = "mobilevit_v3",
) -> Any:
    """``channels`` of the stem and of five stages, ``sizes`` of the three transformers.

    Height and width are multiples of 64, so that every transformer gets whole patches.
    """
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, channels[0], 3, strides=2, activation=SILU, name="stem")
    x = stage(x, channels[1], 1, expansion, name="stage1_block0")
    for index in range(3):
        x = stage(x, channels[2], 2 if index == 0 else 1, expansion, name=f"stage2_block{index}")
    for index, (filters, size, depth) in enumerate(zip(channels[3:], sizes, depths, strict=True), start=3):
        x = stage(x, filters, 2, expansion, name=f"stage{index}_down")
        x = block(x, size, depth, name=f"stage{index}")
    x = conv(x, min(4 * channels[-1], 960), 1, activation=SILU, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_PAPER = "Wadekar and Chaurasia 2022, MobileViTv3, arXiv:2209.15159, section 3"
_TABLE = "Wadekar and Chaurasia 2022, MobileViTv3, arXiv:2209.15159, table 1"

ROWS = (
    Entry(
        "mobilevit_v3_025_64",
        "mobilevit_v3",
        "image_classification",
        _PAPER,
        build,
        (
            ("input_shape", (64, 64, 3)),
            ("classes", 10),
            ("channels", (8, 8, 16, 24, 32, 40)),
            ("sizes", (32, 40, 48)),
            ("depths", (1, 1, 1)),
            ("dropout", 0.0),
        ),
        board="nano33ble",
    ),
    Entry(
        "mobilevit_v3_xxs_256",
        "mobilevit_v3",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(_TABLE, 1_200_000, 100_000),
    ),
    Entry(
        "mobilevit_v3_xs_256",
        "mobilevit_v3",
        "image_classification",
        _PAPER,
        build,
        (("channels", (16, 32, 48, 96, 160, 160)), ("sizes", (96, 120, 144)), ("expansion", 4)),
        Published(_TABLE, 2_500_000, 100_000),
    ),
)
