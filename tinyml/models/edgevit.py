"""EdgeViT: local aggregation, sparse global attention among representatives, local propagation of what they learnt.

Pan et al., "EdgeViTs: Competing Light-weight CNNs on Mobile Devices with Vision Transformers", 2022, arXiv:2205.03436,
section 3.2 and table 1; details from its code (saic-fi/edgevit, src/edgevit.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyml.models.attention import feed_forward, self_attention
from tinyml.models.blocks import classify, finish, image_input
from tinyml.models.entry import Entry, Published
from tinyml.models.norms import layer_norm

RATES = (4, 2, 2, 1)
"""Every how many pixels, each way, one represents its neighbours; 1: all attend, and the local parts are left out."""


def local_aggregation(x: Any, ratio: int, *, name: str) -> Any:
    """Convolutions in a transformer's places: 1x1, depthwise 5x5, 1x1; then a 1x1 feed-forward part."""
    import keras

    channels = x.shape[-1]
    x = position(x, name=f"{name}_position")
    y = keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_norm1")(x)
    y = keras.layers.Conv2D(channels, 1, name=f"{name}_in")(y)
    y = keras.layers.DepthwiseConv2D(5, padding="same", name=f"{name}_mix")(y)
    y = keras.layers.Conv2D(channels, 1, name=f"{name}_out")(y)
    x = keras.layers.Add(name=f"{name}_add1")([x, y])
    y = keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_norm2")(x)
    y = keras.layers.Conv2D(ratio * channels, 1, activation="gelu", name=f"{name}_up")(y)
    y = keras.layers.Conv2D(channels, 1, name=f"{name}_down")(y)
    return keras.layers.Add(name=f"{name}_add2")([x, y])


def position(x: Any, *, name: str) -> Any:
    """Conditional position encoding: a depthwise 3x3 convolution, added."""
    import keras

    y = keras.layers.DepthwiseConv2D(3, padding="same", name=name)(x)
    return keras.layers.Add(name=f"{name}_add")([x, y])


def propagate(x: Any, rate: int, *, name: str) -> Any:
    """Each pixel to ``rate`` by ``rate`` pixels, with weights of their own in every channel.

    That is a depthwise transposed convolution whose kernel is as wide as its stride. TFLite has no such op; a depthwise
    1x1 convolution with ``rate * rate`` outputs a channel, laid out in space, computes the same.
    """
    import keras

    height, width, channels = x.shape[1:]
    x = keras.layers.DepthwiseConv2D(1, depth_multiplier=rate * rate, use_bias=False, name=name)(x)
    x = keras.layers.Reshape((height, width, channels, rate, rate), name=f"{name}_parts")(x)
    x = keras.layers.Permute((1, 4, 2, 5, 3), name=f"{name}_turn")(x)
    return keras.layers.Reshape((height * rate, width * rate, channels), name=f"{name}_pixels")(x)


def sparse_attention(x: Any, heads: int, rate: int, *, name: str) -> Any:
    """Attention among every ``rate``-th pixel, brought back to all (figure 2c and d)."""
    import keras

    if rate > 1:
        x = keras.layers.AveragePooling2D(1, strides=rate, name=f"{name}_sample")(x)
    height, width, channels = x.shape[1:]
    x = keras.layers.Reshape((1, height * width, channels), name=f"{name}_tokens")(x)
    x = self_attention(x, heads, output=False, name=f"{name}_attention")
    x = keras.layers.Reshape((height, width, channels), name=f"{name}_grid")(x)
    if rate > 1:
        x = layer_norm(propagate(x, rate, name=f"{name}_propagate"), name=f"{name}_norm")
    return keras.layers.Conv2D(channels, 1, name=f"{name}_project")(x)


def block(x: Any, heads: int, ratio: int, rate: int, *, name: str) -> Any:
    """Local-global-local: aggregation (where ``rate`` is above 1), sparse attention with propagation, feed-forward."""
    import keras

    if rate > 1:
        x = local_aggregation(x, ratio, name=f"{name}_local")
    x = position(x, name=f"{name}_position")
    y = sparse_attention(layer_norm(x, name=f"{name}_norm1"), heads, rate, name=f"{name}_global")
    x = keras.layers.Add(name=f"{name}_add1")([x, y])
    y = feed_forward(layer_norm(x, name=f"{name}_norm2"), ratio * x.shape[-1], "gelu", name=f"{name}_mlp")
    return keras.layers.Add(name=f"{name}_add2")([x, y])


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    channels: Sequence[int] = (36, 72, 144, 288),
    depths: Sequence[int] = (1, 1, 3, 2),
    head_channels: int = 36,
    ratio: int = 4,
    rates: Sequence[int] = RATES,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "edgevit",
) -> Any:
    """Four stages, each begun by a convolution as wide as its stride (4, then 2); ``head_channels`` a head."""
    import keras

    inputs = x = image_input(input_shape, batch_size)
    for stage, (filters, depth, rate) in enumerate(zip(channels, depths, rates, strict=True), start=1):
        patch = 4 if stage == 1 else 2
        x = keras.layers.Conv2D(filters, patch, strides=patch, name=f"stage{stage}_embed")(x)
        x = layer_norm(x, name=f"stage{stage}_norm")
        for index in range(depth):
            x = block(x, filters // head_channels, ratio, rate, name=f"stage{stage}_block{index}")
    x = keras.layers.BatchNormalization(epsilon=1e-5, name="norm")(x)
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_PAPER = "Pan et al. 2022, EdgeViTs, arXiv:2205.03436, table 1"

ROWS = (
    Entry(
        "edgevit_64",
        "edgevit",
        "image_classification",
        _PAPER,
        build,
        (
            ("input_shape", (64, 64, 3)),
            ("classes", 10),
            ("channels", (12, 24, 48, 96)),
            ("depths", (1, 1, 1, 1)),
            ("head_channels", 12),
            ("ratio", 2),
        ),
        board="nano33ble",
        side_step=32,
    ),
    Entry(
        "edgevit_xxs_224",
        "edgevit",
        "image_classification",
        _PAPER,
        build,
        (),
        Published(f"{_PAPER}: 4.1 M parameters", 4_100_000, 100_000),
        side_step=32,
    ),
)
