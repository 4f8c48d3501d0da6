"""GhostNet: half of each layer's channels are cheap depthwise copies of the other half.

Han et al., "GhostNet: More Features from Cheap Operations", 2020, arXiv:1911.11907, table 1 and figure 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml.models.blocks import RELU, conv, depthwise, divisible, finish, image_input, scores, squeeze_excite
from tinyml.models.channels import split
from tinyml.models.entry import Entry, Published


@dataclass(frozen=True, slots=True)
class Row:
    """A row of table 1: kernel, expansion size, output channels, squeeze and excite, stride."""

    kernel: int
    expanded: int
    filters: int
    excite: bool
    strides: int


TABLE = (
    Row(3, 16, 16, False, 1),
    Row(3, 48, 24, False, 2),
    Row(3, 72, 24, False, 1),
    Row(5, 72, 40, True, 2),
    Row(5, 120, 40, True, 1),
    Row(3, 240, 80, False, 2),
    Row(3, 200, 80, False, 1),
    Row(3, 184, 80, False, 1),
    Row(3, 184, 80, False, 1),
    Row(3, 480, 112, True, 1),
    Row(3, 672, 112, True, 1),
    Row(5, 672, 160, True, 2),
    Row(5, 960, 160, False, 1),
    Row(5, 960, 160, True, 1),
    Row(5, 960, 160, False, 1),
    Row(5, 960, 160, True, 1),
)
"""Table 1."""


def ghost_module(x: Any, filters: int, *, name: str, activation: str | None = RELU, cheap_kernel: int = 3) -> Any:
    """Half of ``filters`` by a 1x1 convolution, the other half by a depthwise one over those (figure 2b, s = 2)."""
    import keras

    half = -(-filters // 2)
    primary = conv(x, half, 1, activation=activation, name=f"{name}_primary")
    cheap = depthwise(primary, cheap_kernel, activation=activation, name=f"{name}_cheap")
    if 2 * half > filters:
        cheap = split(cheap, (half - 1, 1))[0]
    return keras.layers.Concatenate(name=f"{name}_concat")([primary, cheap])


def build(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    head_channels: int = 1280,
    dropout: float = 0.2,
    batch_size: int | None = None,
    name: str = "ghostnet",
) -> Any:
    """Table 1 with channels times ``width``, rounded to multiples of 4; ``head_channels`` is the hidden layer's."""
    import keras

    inputs = image_input(input_shape, batch_size)
    x = conv(inputs, divisible(16 * width, 4), 3, strides=2, activation=RELU, name="stem")
    for index, row in enumerate(TABLE):
        x = _bottleneck(x, row, divisible(row.expanded * width, 4), divisible(row.filters * width, 4), f"block{index}")
    x = conv(x, divisible(TABLE[-1].expanded * width, 4), 1, activation=RELU, name="last")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(head_channels, activation="relu", name="head")(x)
    if dropout > 0:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return finish(inputs, scores(x, classes), name)


def _bottleneck(x: Any, row: Row, expanded: int, filters: int, name: str) -> Any:
    """Two ghost modules with a depthwise convolution between them where the stride is 2 (figure 3)."""
    import keras

    shortcut = x
    if row.strides > 1 or x.shape[-1] != filters:
        shortcut = depthwise(x, row.kernel, strides=row.strides, activation=None, name=f"{name}_shortcut_depthwise")
        shortcut = conv(shortcut, filters, 1, activation=None, name=f"{name}_shortcut")
    x = ghost_module(x, expanded, name=f"{name}_ghost1")
    if row.strides > 1:
        x = depthwise(x, row.kernel, strides=row.strides, activation=None, name=f"{name}_depthwise")
    if row.excite:
        x = squeeze_excite(x, divisible(expanded / 4, 4), name=f"{name}_se")
    x = ghost_module(x, filters, activation=None, name=f"{name}_ghost2")
    return keras.layers.Add(name=f"{name}_add")([shortcut, x])


_PAPER = "Han et al. 2020, GhostNet, arXiv:1911.11907, table 1"

ROWS = (
    Entry(
        "ghostnet_030_96",
        "ghostnet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("width", 0.3), ("head_channels", 256)),
        board="nano33ble",
    ),
    Entry(
        "ghostnet_100_224",
        "ghostnet",
        "image_classification",
        _PAPER,
        build,
        (),
        Published("table 6 of the paper: 5.2 M, 141 M", 5_200_000, 100_000, 141_000_000, 1_000_000, 0.01),
    ),
)
