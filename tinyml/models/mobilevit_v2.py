"""MobileViTv2: MobileViT with attention whose cost grows with the number of tokens, not with its square.

Mehta, Rastegari, "Separable Self-attention for Mobile Vision Transformers", 2022, arXiv:2206.02680, section 3 and
figure 5; widths from its code (apple/ml-cvnets, cvnets/models/classification/config/mobilevit_v2.py).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.attention import feed_forward
from tinyml.models.blocks import classify, conv, depthwise, divisible, finish, image_input
from tinyml.models.entry import Entry, Published
from tinyml.models.mobilevit import DEPTHS, SILU, over_patches, stage
from tinyml.models.norms import whole_norm


def separable_attention(x: Any, *, name: str) -> Any:
    """One score a token; the keys' mean by these scores multiplies the values (equations 3 to 6).

    ``x`` is (batch, groups, tokens, channels). A token that is alone in its group needs no score: its weight is 1.
    """
    import keras

    tokens, channels = x.shape[2:]
    key = context = keras.layers.Dense(channels, name=f"{name}_key")(x)
    value = keras.layers.Dense(channels, activation="relu", name=f"{name}_value")(x)
    if tokens > 1:
        scores = keras.layers.Dense(1, name=f"{name}_query")(x)
        weights = keras.layers.Softmax(axis=2, name=f"{name}_softmax")(scores)
        weighted = keras.layers.Multiply(name=f"{name}_weigh")([key, weights])
        context = keras.ops.sum(weighted, axis=2, keepdims=True)
    y = keras.layers.Multiply(name=f"{name}_spread")([value, context])
    return keras.layers.Dense(channels, name=f"{name}_output")(y)


def linear_encoder(x: Any, *, name: str) -> Any:
    """An encoder layer with :func:`separable_attention`; its norms are over all tokens and channels."""
    import keras

    y = separable_attention(whole_norm(x, name=f"{name}_norm1"), name=f"{name}_attention")
    x = keras.layers.Add(name=f"{name}_add1")([x, y])
    y = feed_forward(whole_norm(x, name=f"{name}_norm2"), 2 * x.shape[-1] // 16 * 16, SILU, name=f"{name}_mlp")
    return keras.layers.Add(name=f"{name}_add2")([x, y])


def block(x: Any, size: int, depth: int, *, name: str) -> Any:
    """Depthwise convolution, ``depth`` encoder layers over the patches, projection: no shortcut, no fusion."""
    import keras

    channels = x.shape[-1]
    x = depthwise(x, 3, activation=SILU, name=f"{name}_local")
    x = keras.layers.Conv2D(size, 1, use_bias=False, name=f"{name}_embed")(x)
    x = over_patches(x, linear_encoder, whole_norm, depth, name=name)
    return conv(x, channels, 1, activation=None, name=f"{name}_project")


def build(
    *,
    input_shape: tuple[int, ...] = (256, 256, 3),
    classes: int = 1000,
    width: float = 1.0,
    depths: tuple[int, int, int] = DEPTHS,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "mobilevit_v2",
) -> Any:
    """The network with channels multiplied by ``width``, the paper's from 0.5 to 2.

    Height and width of the input are multiples of 64, so that every transformer gets whole patches.
    """
    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(min(64, max(16, 32 * width))), 3, strides=2, activation=SILU, name="stem")
    x = stage(x, divisible(64 * width, 16), 1, 2, name="stage1_block0")
    for index in range(2):
        x = stage(x, divisible(128 * width), 2 if index == 0 else 1, 2, name=f"stage2_block{index}")
    for index, (filters, depth) in enumerate(zip((256, 384, 512), depths, strict=True), start=3):
        x = stage(x, divisible(filters * width), 2, 2, name=f"stage{index}_down")
        x = block(x, divisible(filters // 2 * width), depth, name=f"stage{index}")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_PAPER = "Mehta and Rastegari 2022, MobileViTv2, arXiv:2206.02680, section 3"
_TABLE = "Mehta and Rastegari 2022, MobileViTv2, arXiv:2206.02680, table 1"

ROWS = (
    Entry(
        "mobilevit_v2_0125_64",
        "mobilevit_v2",
        "image_classification",
        _PAPER,
        build,
        (("input_shape", (64, 64, 3)), ("classes", 10), ("width", 0.125), ("depths", (1, 1, 1))),
        board="nano33ble",
        side_step=64,
    ),
    Entry(
        "mobilevit_v2_050_256",
        "mobilevit_v2",
        "image_classification",
        _PAPER,
        build,
        (("width", 0.5),),
        Published(_TABLE, 1_400_000, 100_000),
        side_step=64,
    ),
    Entry(
        "mobilevit_v2_100_256",
        "mobilevit_v2",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(_TABLE, 4_900_000, 100_000),
        side_step=64,
    ),
)
