"""MobileViTv3: MobileViT's block with a simpler fusion, a shortcut and a depthwise local convolution.

Wadekar, Chaurasia, "MobileViTv3: Mobile-Friendly Vision Transformer with Simple and Effective Fusion of Local, Global
and Input Features", 2022, arXiv:2209.15159, section 3 and figure 1; widths from its code (micronDLA/MobileViTv3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyml.models.blocks import conv, depthwise
from tinyml.models.entry import Entry, Published
from tinyml.models.mobilevit import DEPTHS, SILU, build_stages, transformer


def block(x: Any, size: int, depth: int, *, name: str) -> Any:
    """Depthwise 3x3, transformer, 1x1 fusion of the local and the global features, and the input added."""
    import keras

    channels = x.shape[-1]
    local = depthwise(x, 3, activation=SILU, name=f"{name}_local")
    local = keras.layers.Conv2D(size, 1, use_bias=False, name=f"{name}_embed")(local)
    y = transformer(local, depth, name=name)
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
    head_channels = min(4 * channels[-1], 960)
    return build_stages(
        block, input_shape, classes, channels, sizes, depths, expansion, head_channels, dropout, batch_size, name
    )


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
        side_step=64,
    ),
    Entry(
        "mobilevit_v3_xxs_256",
        "mobilevit_v3",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(_TABLE, 1_200_000, 100_000),
        side_step=64,
    ),
    Entry(
        "mobilevit_v3_xs_256",
        "mobilevit_v3",
        "image_classification",
        _PAPER,
        build,
        (("channels", (16, 32, 48, 96, 160, 160)), ("sizes", (96, 120, 144)), ("expansion", 4)),
        Published(_TABLE, 2_500_000, 100_000),
        side_step=64,
    ),
)
