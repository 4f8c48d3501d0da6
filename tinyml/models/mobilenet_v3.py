"""MobileNetV3, small and large: inverted residuals with squeeze and excite and hard swish.

Howard et al., "Searching for MobileNetV3", 2019, arXiv:1905.02244, tables 1 (large) and 2 (small).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml.models.blocks import HARD_SWISH, RELU, conv, divisible, finish, image_input, inverted_residual, scores
from tinyml.models.entry import Entry, Published


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the tables: kernel, expansion size, output channels, squeeze and excite, nonlinearity, stride."""

    kernel: int
    expanded: int
    filters: int
    excite: bool
    activation: str
    strides: int


SMALL = (
    Row(3, 16, 16, True, RELU, 2),
    Row(3, 72, 24, False, RELU, 2),
    Row(3, 88, 24, False, RELU, 1),
    Row(5, 96, 40, True, HARD_SWISH, 2),
    Row(5, 240, 40, True, HARD_SWISH, 1),
    Row(5, 240, 40, True, HARD_SWISH, 1),
    Row(5, 120, 48, True, HARD_SWISH, 1),
    Row(5, 144, 48, True, HARD_SWISH, 1),
    Row(5, 288, 96, True, HARD_SWISH, 2),
    Row(5, 576, 96, True, HARD_SWISH, 1),
    Row(5, 576, 96, True, HARD_SWISH, 1),
)
"""Table 2."""

LARGE = (
    Row(3, 16, 16, False, RELU, 1),
    Row(3, 64, 24, False, RELU, 2),
    Row(3, 72, 24, False, RELU, 1),
    Row(5, 72, 40, True, RELU, 2),
    Row(5, 120, 40, True, RELU, 1),
    Row(5, 120, 40, True, RELU, 1),
    Row(3, 240, 80, False, HARD_SWISH, 2),
    Row(3, 200, 80, False, HARD_SWISH, 1),
    Row(3, 184, 80, False, HARD_SWISH, 1),
    Row(3, 184, 80, False, HARD_SWISH, 1),
    Row(3, 480, 112, True, HARD_SWISH, 1),
    Row(3, 672, 112, True, HARD_SWISH, 1),
    Row(5, 672, 160, True, HARD_SWISH, 2),
    Row(5, 960, 160, True, HARD_SWISH, 1),
    Row(5, 960, 160, True, HARD_SWISH, 1),
)
"""Table 1."""


def build_small(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    head_channels: int = 1024,
    dropout: float = 0.2,
    batch_size: int | None = None,
    name: str = "mobilenet_v3_small",
) -> Any:
    """Table 2 with channels multiplied by ``width``; ``head_channels`` is the last hidden layer's."""
    return _build(SMALL, input_shape, classes, width, head_channels, dropout, batch_size, name)


def build_large(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    head_channels: int = 1280,
    dropout: float = 0.2,
    batch_size: int | None = None,
    name: str = "mobilenet_v3_large",
) -> Any:
    """Table 1 with channels multiplied by ``width``; ``head_channels`` is the last hidden layer's."""
    return _build(LARGE, input_shape, classes, width, head_channels, dropout, batch_size, name)


def _build(
    rows: tuple[Row, ...],
    input_shape: tuple[int, ...],
    classes: int,
    width: float,
    head_channels: int,
    dropout: float,
    batch_size: int | None,
    name: str,
) -> Any:
    import keras

    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, 16, 3, strides=2, activation=HARD_SWISH, name="stem")
    published_channels = 16
    for index, row in enumerate(rows):
        before = x.shape[-1]
        expanded = divisible(before * row.expanded / published_channels)
        filters = divisible(row.filters * width)
        x = inverted_residual(
            x,
            expanded=expanded,
            filters=filters,
            kernel=row.kernel,
            strides=row.strides,
            expand=index != 0,
            residual=row.strides == 1 and before == filters,
            activation=row.activation,
            squeezed=divisible(expanded / 4) if row.excite else None,
            name=f"block{index}",
        )
        published_channels = row.filters
    x = conv(x, divisible(x.shape[-1] * 6), 1, activation=HARD_SWISH, name="last")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    hidden = divisible(head_channels * width) if width > 1.0 else head_channels
    x = keras.layers.Dense(hidden, activation=HARD_SWISH, name="head")(x)
    if dropout > 0:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return finish(inputs, scores(x, classes), name)


_MOBILENET_V3_SMALL = "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244, table 2"
_MOBILENET_V3_LARGE = "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244, table 1"

ROWS = (
    Entry(
        "mobilenet_v3_small_035_96",
        "mobilenet_v3",
        "visual_wake_words",
        _MOBILENET_V3_SMALL,
        build_small,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.35)),
        board="nano33ble",
    ),
    Entry(
        "mobilenet_v3_small_100_224",
        "mobilenet_v3",
        "image_classification",
        _MOBILENET_V3_SMALL,
        build_small,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("keras.applications.MobileNetV3Small", 2_542_856),
    ),
    Entry(
        "mobilenet_v3_large_100_224",
        "mobilenet_v3",
        "image_classification",
        _MOBILENET_V3_LARGE,
        build_large,
        (("input_shape", (224, 224, 3)), ("classes", 1000)),
        Published("keras.applications.MobileNetV3Large", 5_483_032),
    ),
)
