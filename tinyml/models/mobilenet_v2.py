"""MobileNetV2: inverted residuals with linear bottlenecks.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, arXiv:1801.04381, table 2.
MCUNet's comparison at width 0.35 keeps its own channel table, a fact read from the mcunet repository's configurations
(MIT licence).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import classify, conv, divisible, finish, image_input, inverted_residual
from tinyml.models.entry import Entry, Published
from tinyml.models.searched import Network, build_network

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion t, output channels c at width 1, repetitions n and first stride s of each stage (table 2)."""


def body(x: Any, width: float, largest_stride: int = 32) -> Any:
    """The stem and the inverted residuals of table 2, channels multiplied by ``width``.

    Where the stride would exceed ``largest_stride``, depthwise convolutions are dilated instead (Chen et al. 2017,
    arXiv:1706.05587, section 3.1).
    """
    x = conv(x, divisible(32 * width), 3, strides=2, name="stem")
    index, stride, dilation = 0, 2, 1
    for expansion, channels, repetitions, first_stride in STAGES:
        filters = divisible(int(channels * width))
        grown = dilation
        if stride * first_stride > largest_stride:
            grown, first_stride = dilation * first_stride, 1
        stride *= first_stride
        for repetition in range(repetitions):
            strides = first_stride if repetition == 0 else 1
            before = x.shape[-1]
            x = inverted_residual(
                x,
                expanded=expansion * before,
                filters=filters,
                kernel=3,
                strides=strides,
                expand=expansion != 1,
                residual=strides == 1 and before == filters,
                dilation=dilation if repetition == 0 else grown,
                name=f"block{index}",
            )
            index += 1
        dilation = grown
    return x


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    head_channels: int | None = 1280,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "mobilenet_v2",
) -> Any:
    """The network of table 2 with channels multiplied by ``width``.

    ``head_channels`` is the last 1x1 convolution's; it grows with widths above 1 only (section 4.1), and None leaves
    the convolution out, which suits two classes on a microcontroller.
    """
    inputs = image_input(input_shape, batch_size)
    x = body(inputs, width)
    if head_channels is not None:
        x = conv(x, divisible(head_channels * width) if width > 1.0 else head_channels, 1, name="head")
    return finish(inputs, classify(x, classes, dropout=dropout), name)


W035 = Network(
    stem=16,
    blocks=(
        (3, 0, 8, 1),
        (3, 48, 8, 2),
        (3, 48, 8, 1),
        (3, 48, 16, 2),
        (3, 96, 16, 1),
        (3, 96, 16, 1),
        (3, 96, 24, 2),
        (3, 144, 24, 1),
        (3, 144, 24, 1),
        (3, 144, 24, 1),
        (3, 144, 32, 1),
        (3, 192, 32, 1),
        (3, 192, 32, 1),
        (3, 192, 56, 2),
        (3, 336, 56, 1),
        (3, 336, 56, 1),
        (3, 336, 112, 1),
    ),
    head=448,
)
"""``mbv2-w0.35_imagenet``: 144x144, MCUNet's comparison."""


def build_w035(
    *,
    input_shape: tuple[int, ...] = (144, 144, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    batch_size: int | None = None,
    name: str = "mobilenet_v2_w035",
) -> Any:
    """The network of :data:`W035`, whose last convolution shrinks with the width, too."""
    return build_network(
        W035, input_shape=input_shape, classes=classes, dropout=dropout, batch_size=batch_size, name=name
    )


_MOBILENET_V2 = "Sandler et al. 2018, MobileNetV2, arXiv:1801.04381, table 2"
_MCUNET = "Lin et al. 2020, MCUNet, arXiv:2007.10319, section 4"
_MCUNET_README = "mcunet repository, README, model list"

ROWS = (
    Entry(
        "mobilenet_v2_035_96",
        "mobilenet_v2",
        "visual_wake_words",
        _MOBILENET_V2,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.35)),
        board="nano33ble",
    ),
    Entry(
        "mobilenet_v2_w035",
        "mobilenet_v2",
        "image_classification",
        f"{_MOBILENET_V2}; {_MCUNET}",
        build_w035,
        (("input_shape", (144, 144, 3)), ("classes", 1000)),
        Published(_MCUNET_README, 750_000, 10_000, 23_500_000, 100_000),
        board="disco_f746ng",
    ),
    Entry(
        "mobilenet_v2_100_224",
        "mobilenet_v2",
        "image_classification",
        _MOBILENET_V2,
        build,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("keras.applications.MobileNetV2; the paper's table 4", 3_504_872, 1, 300_000_000, 10_000_000),
    ),
)
