"""ESPNet and ESPNetv2: efficient spatial pyramids of dilated convolutions, fused one after the other.

Mehta et al., "ESPNet: Efficient Spatial Pyramid of Dilated Convolutions for Semantic Segmentation", 2018,
arXiv:1803.06815, section 3 and figures 1, 4; Mehta et al., "ESPNetv2: A Light-weight, Power Efficient, and General
Purpose Convolutional Neural Network", 2019, arXiv:1811.11431, section 3 and table 1. Widths, repetitions and branches
from their code (sacmehta/ESPNet, train/Model.py; sacmehta/ESPNetv2, imagenet/Model.py).
"""

from __future__ import annotations

from math import ceil
from typing import Any

from tinyml.models.blocks import classify, finish, image_input
from tinyml.models.entry import Entry, Published

RATES = (1, 2, 4, 8, 16)
"""Dilation of ESPNet's branches (section 3.1)."""
LEAST_SCORES = 10
BRANCHES = 4
"""Branches of ESPNetv2's block."""
REPEATS = (0, 3, 7, 3)
REACHES = (13, 11, 9, 7, 5)
"""The largest receptive field of a branch at each level of ESPNetv2, in pixels."""


def _norm(x: Any, name: str) -> Any:
    import keras

    return keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def _prelu(x: Any, name: str) -> Any:
    import keras

    return keras.layers.PReLU(shared_axes=[1, 2], alpha_initializer=keras.initializers.Constant(0.25), name=name)(x)


def _conv(x: Any, filters: int, kernel: int, name: str, *, strides: int = 1, dilation: int = 1, groups: int = 1) -> Any:
    import keras

    return keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        dilation_rate=dilation,
        groups=groups,
        padding="same",
        use_bias=False,
        name=name,
    )(x)


def norm_prelu(x: Any, *, name: str) -> Any:
    """Batch norm, then a ReLU with a learned slope a channel."""
    return _prelu(_norm(x, f"{name}_bn"), f"{name}_prelu")


def conv_norm_prelu(x: Any, filters: int, kernel: int, *, name: str, strides: int = 1, groups: int = 1) -> Any:
    """Convolution, batch norm, PReLU."""
    return norm_prelu(_conv(x, filters, kernel, name, strides=strides, groups=groups), name=name)


def pyramid(x: Any, filters: int, *, name: str, strides: int = 1, residual: bool = False) -> Any:
    """ESPNet's block: reduce, dilated 3x3 convolutions side by side, sums of neighbours, concatenation (figure 1)."""
    import keras

    small = filters // len(RATES)
    reduced = _conv(x, small, 1 if strides == 1 else 3, f"{name}_reduce", strides=strides)
    widths = (filters - (len(RATES) - 1) * small, *[small] * (len(RATES) - 1))
    found = [
        _conv(reduced, width, 3, f"{name}_dilated{rate}", dilation=rate)
        for rate, width in zip(RATES, widths, strict=True)
    ]
    for index in range(2, len(RATES)):
        found[index] = keras.layers.Add(name=f"{name}_fuse{index}")([found[index - 1], found[index]])
    y = keras.layers.Concatenate(name=f"{name}_concat")(found)
    if residual:
        y = keras.layers.Add(name=f"{name}_add")([x, y])
    return norm_prelu(y, name=name)


def build(
    *,
    input_shape: tuple[int, ...] = (512, 1024, 3),
    classes: int = 20,
    width: float = 1.0,
    repeats: tuple[int, int] = (2, 8),
    batch_size: int | None = None,
    name: str = "espnet",
) -> Any:
    """ESPNet with its light decoder: scores of every pixel, shape (height, width, classes), no softmax.

    ``repeats`` are the blocks of the second and the third level; ``width`` multiplies the channels. The decoder has as
    many channels as there are classes, at least ten.
    """
    import keras

    def pooled(x: Any, times: int) -> Any:
        for index in range(times):
            x = keras.layers.AveragePooling2D(3, strides=2, padding="same", name=f"input_pool{times}_{index}")(x)
        return x

    def joined(parts: list[Any], label: str) -> Any:
        return keras.layers.Concatenate(name=f"{label}_concat")(parts)

    def doubled(x: Any, label: str, filters: int) -> Any:
        return keras.layers.Conv2DTranspose(filters, 2, strides=2, use_bias=False, name=label)(x)

    inputs = image_input(input_shape, batch_size)
    stem = conv_norm_prelu(inputs, round(16 * width), 3, strides=2, name="level1")
    level1 = norm_prelu(joined([stem, pooled(inputs, 1)], "level1_input"), name="level1_joined")
    first = x = pyramid(level1, round(64 * width), strides=2, name="level2_down")
    for index in range(repeats[0]):
        x = pyramid(x, round(64 * width), residual=True, name=f"level2_block{index}")
    level2 = norm_prelu(joined([x, first, pooled(inputs, 2)], "level2_input"), name="level2_joined")
    first = x = pyramid(level2, round(128 * width), strides=2, name="level3_down")
    for index in range(repeats[1]):
        x = pyramid(x, round(128 * width), residual=True, name=f"level3_block{index}")
    level3 = norm_prelu(joined([first, x], "level3"), name="level3_joined")

    scores = max(classes, LEAST_SCORES)
    coarse = doubled(_norm(_conv(level3, scores, 1, "level3_scores"), "level3_scores_bn"), "level3_up", scores)
    x = norm_prelu(
        joined([_conv(level2, scores, 1, "level2_scores"), coarse], "decoder2_input"), name="decoder2_joined"
    )
    x = pyramid(x, scores, name="decoder2")
    x = norm_prelu(doubled(x, "decoder2_up", scores), name="decoder2_up")
    x = conv_norm_prelu(joined([x, level1], "decoder1_input"), scores, 3, name="decoder1")
    return finish(inputs, doubled(x, "scores", classes), name)


def pyramid_v2(x: Any, filters: int, reach: int, *, name: str, strides: int = 1) -> Any:
    """ESPNetv2's block without its last activation (figure 1c): grouped 1x1, dilated depthwise, sums, grouped 1x1."""
    import keras

    small = filters // BRANCHES
    reduced = conv_norm_prelu(x, small, 1, groups=BRANCHES, name=f"{name}_reduce")
    fields = sorted(field if field <= reach else 3 for field in range(3, 3 + 2 * BRANCHES, 2))
    found: list[Any] = []
    for index, field in enumerate(fields):
        rate = (field - 1) // 2
        branch = reduced
        if strides == 2:  # Keras takes no stride and dilation at once: the dilated result is sampled
            branch = _dilated(branch, rate, f"{name}_dilated{index}")
            branch = keras.layers.AveragePooling2D(1, strides=2, name=f"{name}_sample{index}")(branch)
        else:
            branch = _dilated(branch, rate, f"{name}_dilated{index}")
        found.append(branch if not found else keras.layers.Add(name=f"{name}_fuse{index}")([found[-1], branch]))
    y = norm_prelu(keras.layers.Concatenate(name=f"{name}_concat")(found), name=f"{name}_joined")
    return _norm(_conv(y, filters, 1, f"{name}_expand", groups=BRANCHES), f"{name}_expand_bn")


def _dilated(x: Any, rate: int, name: str) -> Any:
    import keras

    return keras.layers.DepthwiseConv2D(3, dilation_rate=rate, padding="same", use_bias=False, name=name)(x)


def build_v2(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    head_channels: int = 1024,
    repeats: tuple[int, int, int, int] = REPEATS,
    dropout: float = 0.2,
    batch_size: int | None = None,
    name: str = "espnet_v2",
) -> Any:
    """ESPNetv2 for classification, which looks at the input image again at each level.

    ``width`` is the paper's scale s, a multiple of 0.5.
    """
    import keras

    base = ceil(int(32 * width) / BRANCHES) * BRANCHES
    inputs = image_input(input_shape, batch_size)
    x = conv_norm_prelu(inputs, min(32, base), 3, strides=2, name="level1")
    image = keras.layers.AveragePooling2D(3, strides=2, padding="same", name="image_pool1")(inputs)
    for level in range(2, 6):
        filters, label = base * 2 ** (level - 1), f"level{level}"
        reach = REACHES[min(level - 2, 3)]
        pooled = keras.layers.AveragePooling2D(3, strides=2, padding="same", name=f"{label}_pool")(x)
        y = pyramid_v2(x, filters - x.shape[-1], reach, strides=2, name=f"{label}_down")
        x = keras.layers.Concatenate(name=f"{label}_joined")([pooled, y])
        if level < 5:
            image = keras.layers.AveragePooling2D(3, strides=2, padding="same", name=f"image_pool{level}")(image)
            again = conv_norm_prelu(image, 3, 3, name=f"{label}_image")
            again = _norm(_conv(again, filters, 1, f"{label}_image_expand"), f"{label}_image_expand_bn")
            x = keras.layers.Add(name=f"{label}_image_add")([x, again])
        x = _prelu(x, f"{label}_prelu")
        for index in range(repeats[level - 2]):
            y = pyramid_v2(x, filters, REACHES[level - 1], name=f"{label}_block{index}")
            x = _prelu(keras.layers.Add(name=f"{label}_block{index}_add")([x, y]), f"{label}_block{index}_prelu")
    y = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="head_depthwise")(x)
    y = norm_prelu(y, name="head_depthwise")
    y = conv_norm_prelu(y, head_channels, 1, groups=BRANCHES, name="head")
    return finish(inputs, classify(y, classes, dropout=dropout), name)


_PAPER = "Mehta et al. 2018, ESPNet, arXiv:1803.06815, section 3"
_PAPER_V2 = "Mehta et al. 2019, ESPNetv2, arXiv:1811.11431, table 1"

ROWS = (
    Entry(
        "espnet_64",
        "espnet",
        "segmentation",
        _PAPER,
        build,
        (("input_shape", (64, 64, 3)), ("classes", 2), ("width", 0.5), ("repeats", (1, 2))),
        board="nano33ble",
    ),
    Entry(
        "espnet_512",
        "espnet",
        "segmentation",
        _PAPER,
        build,
        (),
        Published(
            "Mehta et al. 2018, ESPNet, arXiv:1803.06815, table 1: 0.364 M parameters", 364_000, 1_000, within=0.01
        ),
    ),
    Entry(
        "espnet_v2_050_64",
        "espnet",
        "image_classification",
        _PAPER_V2,
        build_v2,
        (
            ("input_shape", (64, 64, 3)),
            ("classes", 10),
            ("width", 0.5),
            ("head_channels", 128),
            ("repeats", (0, 1, 2, 1)),
            ("dropout", 0.0),
        ),
        board="nano33ble",
    ),
    Entry(
        "espnet_v2_100_224",
        "espnet",
        "image_classification",
        _PAPER_V2,
        build_v2,
        (),
        Published(_PAPER_V2, 1_670_000, 10_000),
    ),
)
