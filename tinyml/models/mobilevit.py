"""MobileViT: inverted residuals, and blocks in which a small transformer looks at all patches.

Mehta, Rastegari, "MobileViT: Light-weight, General-purpose, and Mobile-friendly Vision Transformer", 2022,
arXiv:2110.02178, table 4 and figure 1b; the expansion of the first stage and of the head from its code
(apple/ml-cvnets, cvnets/models/classification/config/mobilevit.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tinyml.models.attention import encoder, from_patches, to_patches
from tinyml.models.blocks import classify, conv, divisible, finish, image_input, inverted_residual
from tinyml.models.entry import Entry, Published
from tinyml.models.norms import layer_norm

SILU = "silu"
PATCH = 2
HEADS = 4
DEPTHS = (2, 4, 3)
"""Transformer layers of the last three stages."""


def stage(x: Any, filters: int, strides: int, expansion: int, *, name: str) -> Any:
    """MobileNetV2's block with swish, a shortcut where shapes allow it."""
    return inverted_residual(
        x,
        expanded=divisible(x.shape[-1] * expansion),
        filters=filters,
        kernel=3,
        strides=strides,
        residual=strides == 1 and x.shape[-1] == filters,
        activation=SILU,
        name=name,
    )


def over_patches(x: Any, layer: Callable[..., Any], norm: Callable[..., Any], depth: int, *, name: str) -> Any:
    """Pixels as tokens, ``depth`` times ``layer``, ``norm``, pixels again; each takes tokens and a name."""
    height, width = x.shape[1:3]
    x = to_patches(x, PATCH, name=f"{name}_unfold")
    for index in range(depth):
        x = layer(x, name=f"{name}_layer{index}")
    return from_patches(norm(x, name=f"{name}_norm"), (height, width), PATCH, name=f"{name}_fold")


def transformer(x: Any, depth: int, *, name: str) -> Any:
    """``depth`` encoder layers over the patches of ``x``, then a norm."""
    layer = partial(encoder, heads=HEADS, hidden=2 * x.shape[-1], activation=SILU)
    return over_patches(x, layer, layer_norm, depth, name=name)


def mobilevit_block(x: Any, size: int, depth: int, *, name: str) -> Any:
    """Local 3x3 convolution, transformer, and a 3x3 convolution over the input beside the result (figure 1b)."""
    import keras

    channels = x.shape[-1]
    y = conv(x, channels, 3, activation=SILU, name=f"{name}_local")
    y = keras.layers.Conv2D(size, 1, use_bias=False, name=f"{name}_global_embed")(y)
    y = transformer(y, depth, name=f"{name}_global")
    y = conv(y, channels, 1, activation=SILU, name=f"{name}_project")
    y = keras.layers.Concatenate(name=f"{name}_concat")([x, y])
    return conv(y, channels, 3, activation=SILU, name=f"{name}_fuse")


def build_stages(
    block: Callable[..., Any],
    input_shape: tuple[int, ...],
    classes: int,
    channels: Sequence[int],
    sizes: Sequence[int],
    depths: Sequence[int],
    expansion: int,
    head_channels: int,
    dropout: float,
    batch_size: int | None,
    name: str,
) -> Any:
    """Stem, two stages of inverted residuals, three that end in a ``block`` with a transformer, head.

    ``block`` takes pixels, the transformer's channels, its depth and a name.
    """
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, channels[0], 3, strides=2, activation=SILU, name="stem")
    x = stage(x, channels[1], 1, expansion, name="stage1_block0")
    for index in range(3):
        x = stage(x, channels[2], 2 if index == 0 else 1, expansion, name=f"stage2_block{index}")
    for index, (filters, size, depth) in enumerate(zip(channels[3:], sizes, depths, strict=True), start=3):
        x = stage(x, filters, 2, expansion, name=f"stage{index}_down")
        x = block(x, size, depth, name=f"stage{index}")
    x = conv(x, head_channels, 1, activation=SILU, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def build(
    *,
    input_shape: tuple[int, ...] = (256, 256, 3),
    classes: int = 1000,
    channels: Sequence[int] = (16, 16, 24, 48, 64, 80),
    sizes: Sequence[int] = (64, 80, 96),
    depths: Sequence[int] = DEPTHS,
    expansion: int = 2,
    head_channels: int = 320,
    dropout: float = 0.1,
    batch_size: int | None = None,
    name: str = "mobilevit",
) -> Any:
    """The network of table 4: ``channels`` of the stem and of five stages, ``sizes`` of the three transformers.

    Height and width are multiples of 64, so that every transformer gets whole patches.
    """
    return build_stages(
        mobilevit_block,
        input_shape,
        classes,
        channels,
        sizes,
        depths,
        expansion,
        head_channels,
        dropout,
        batch_size,
        name,
    )


_PAPER = "Mehta and Rastegari 2022, MobileViT, arXiv:2110.02178, table 4"
_TABLE = "Mehta and Rastegari 2022, MobileViT, arXiv:2110.02178, figure 6"

ROWS = (
    Entry(
        "mobilevit_025_64",
        "mobilevit",
        "image_classification",
        _PAPER,
        build,
        (
            ("input_shape", (64, 64, 3)),
            ("classes", 10),
            ("channels", (8, 8, 16, 24, 32, 40)),
            ("sizes", (32, 40, 48)),
            ("depths", (1, 1, 1)),
            ("head_channels", 96),
            ("dropout", 0.0),
        ),
        board="nano33ble",
        side_step=64,
    ),
    Entry(
        "mobilevit_xxs_256",
        "mobilevit",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(_TABLE, 1_300_000, 100_000),
        side_step=64,
    ),
    Entry(
        "mobilevit_xs_256",
        "mobilevit",
        "image_classification",
        _PAPER,
        build,
        (
            ("channels", (16, 32, 48, 64, 80, 96)),
            ("sizes", (96, 120, 144)),
            ("expansion", 4),
            ("head_channels", 384),
        ),
        Published(_TABLE, 2_300_000, 100_000),
        side_step=64,
    ),
    Entry(
        "mobilevit_s_256",
        "mobilevit",
        "image_classification",
        _PAPER,
        build,
        (
            ("channels", (16, 32, 64, 96, 128, 160)),
            ("sizes", (144, 192, 240)),
            ("expansion", 4),
            ("head_channels", 640),
        ),
        Published(_TABLE, 5_600_000, 100_000),
        side_step=64,
    ),
)
