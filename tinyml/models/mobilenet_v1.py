"""MobileNetV1: depthwise separable convolutions with a width and a resolution multiplier.

Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017,
arXiv:1704.04861, table 1. MLPerf Tiny's visual wake words reference is width 0.25 at 96x96 with two classes
(mlcommons/tiny, visual_wake_words/vww_model.py).
"""

from __future__ import annotations

from typing import Any

from tinyml.models.blocks import RELU6, classify, conv, depthwise, finish, image_input
from tinyml.models.entry import Entry, Published

BODY = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
"""Output channels at width 1 and stride of each depthwise separable block (table 1)."""


def body(x: Any, width: float, *, activation: str = RELU6, largest_stride: int = 32) -> Any:
    """The stem and the depthwise separable blocks of table 1, channels multiplied by ``width`` and rounded down.

    Where the stride would exceed ``largest_stride``, depthwise convolutions are dilated instead.
    """
    x = conv(x, max(1, int(32 * width)), 3, strides=2, activation=activation, name="stem")
    stride, dilation = 2, 1
    for index, (filters, strides) in enumerate(BODY, start=1):
        taken = strides if stride * strides <= largest_stride else 1
        stride *= taken
        x = depthwise(x, 3, strides=taken, dilation=dilation, activation=activation, name=f"block{index}_depthwise")
        x = conv(x, max(1, int(filters * width)), 1, activation=activation, name=f"block{index}_pointwise")
        dilation *= strides // taken
    return x


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.0,
    activation: str = RELU6,
    batch_size: int | None = None,
    name: str = "mobilenet_v1",
) -> Any:
    """The network of table 1 with channels multiplied by ``width`` and rounded down, as in the authors' code."""
    inputs = image_input(input_shape, batch_size)
    x = body(inputs, width, activation=activation)
    return finish(inputs, classify(x, classes, dropout=dropout), name)


_MOBILENET_V1 = "Howard et al. 2017, MobileNets, arXiv:1704.04861, table 1"

ROWS = (
    Entry(
        "mobilenet_v1_025_96",
        "mobilenet_v1",
        "visual_wake_words",
        f"{_MOBILENET_V1}; MLPerf Tiny visual wake words (vww01)",
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.25)),
        Published("MLPerf Tiny, vww_96_int8.tflite", macs=7_489_664),
        board="nano33ble",
    ),
    Entry(
        "mobilenet_v1_100_224",
        "mobilenet_v1",
        "image_classification",
        _MOBILENET_V1,
        build,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("Howard et al. 2017, arXiv:1704.04861, table 6", 4_200_000, 100_000, 569_000_000, 1_000_000),
    ),
)
