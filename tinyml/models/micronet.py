"""MicroNet M0 to M3: factorised convolutions whose groups are mixed, and an activation that looks at two channels.

Li et al., "MicroNet: Improving Image Recognition with Extremely Low FLOPs", 2021, arXiv:2108.05894: Micro-Factorized
convolution (section 3), Dynamic Shift-Max (section 4, equation 6), table 2; sizes from the authors' code
(liyunsheng13/micronet, backbone/microconfig.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml.models.blocks import MOST_PROBABILITIES, RELU6, Pair, activate, finish, image_input
from tinyml.models.channels import shuffle
from tinyml.models.entry import Entry, Published
from tinyml.models.shift_max import shift_max


@dataclass(frozen=True, slots=True)
class Row:
    """A block as in the authors' tables.

    ``expand``: by how much each of the two parts of the depthwise convolution multiplies the channels. ``groups``: of
    the expanding 1x1 convolution (0: there is none) and of the shuffle and the shift; ``project_groups``: of the
    projecting one (0: there is none). ``shift_max``: for the three activations how many sums they have, 0 for ReLU6;
    ``ratio`` divides their hidden channels once more.
    """

    strides: int
    filters: int
    kernel: int
    expand: tuple[int, int]
    groups: tuple[int, int]
    project_groups: int
    shift_max: tuple[int, int, int]
    ratio: int = 1


@dataclass(frozen=True, slots=True)
class Size:
    """Stem channels and their two groups, blocks, hidden channels, and where Shift-Max begins."""

    stem: int
    stem_groups: tuple[int, int]
    rows: tuple[Row, ...]
    hidden: int
    initial: tuple[float, float, float, float] = (1.0, 0.0, 1.0, 0.0)


_ALL = (2, 2, 1)
_MIDDLE = (0, 2, 0)

SIZES = {
    "m0": Size(
        4,
        (2, 2),
        (
            Row(2, 8, 3, (2, 2), (0, 4), 2, (2, 0, 1)),
            Row(2, 12, 3, (2, 2), (0, 8), 4, _ALL),
            Row(2, 16, 5, (2, 2), (0, 12), 4, _ALL),
            Row(1, 32, 5, (1, 4), (4, 4), 4, _ALL),
            Row(2, 64, 5, (1, 4), (8, 8), 8, _ALL),
            Row(1, 96, 3, (1, 4), (8, 8), 8, _ALL, 2),
            Row(1, 384, 3, (1, 4), (12, 12), 0, _ALL, 2),
        ),
        640,
    ),
    "m1": Size(
        6,
        (3, 2),
        (
            Row(2, 8, 3, (2, 2), (0, 6), 2, (2, 0, 1)),
            Row(2, 16, 3, (2, 2), (0, 8), 4, _ALL),
            Row(2, 16, 5, (2, 2), (0, 16), 4, _ALL),
            Row(1, 32, 5, (1, 6), (4, 4), 4, _ALL),
            Row(2, 64, 5, (1, 6), (8, 8), 8, _ALL),
            Row(1, 96, 3, (1, 6), (8, 8), 8, _ALL, 2),
            Row(1, 576, 3, (1, 6), (12, 12), 0, _ALL, 2),
        ),
        960,
    ),
    "m2": Size(
        8,
        (4, 2),
        (
            Row(2, 12, 3, (2, 2), (0, 8), 4, (2, 0, 1)),
            Row(2, 16, 3, (2, 2), (0, 12), 4, _ALL),
            Row(1, 24, 3, (2, 2), (0, 16), 4, _ALL),
            Row(2, 32, 5, (1, 6), (6, 6), 4, _ALL),
            Row(1, 32, 5, (1, 6), (8, 8), 4, _ALL, 2),
            Row(1, 64, 5, (1, 6), (8, 8), 8, _ALL, 2),
            Row(2, 96, 5, (1, 6), (8, 8), 8, _ALL, 2),
            Row(1, 128, 3, (1, 6), (12, 12), 8, _ALL, 2),
            Row(1, 768, 3, (1, 6), (16, 16), 0, _ALL, 2),
        ),
        1024,
    ),
    "m3": Size(
        12,
        (4, 3),
        (
            Row(2, 16, 3, (2, 2), (0, 12), 4, _MIDDLE),
            Row(2, 24, 3, (2, 2), (0, 16), 4, _MIDDLE),
            Row(1, 24, 3, (2, 2), (0, 24), 4, _MIDDLE),
            Row(2, 32, 5, (1, 6), (6, 6), 4, _MIDDLE),
            Row(1, 32, 5, (1, 6), (8, 8), 4, _MIDDLE, 2),
            Row(1, 64, 5, (1, 6), (8, 8), 8, _MIDDLE, 2),
            Row(1, 80, 5, (1, 6), (8, 8), 8, _MIDDLE, 2),
            Row(1, 80, 5, (1, 6), (10, 10), 8, _MIDDLE, 2),
            Row(2, 120, 5, (1, 6), (10, 10), 10, _MIDDLE, 2),
            Row(1, 120, 5, (1, 6), (12, 12), 10, _MIDDLE, 2),
            Row(1, 144, 3, (1, 6), (12, 12), 12, _MIDDLE, 2),
            Row(1, 864, 3, (1, 6), (12, 12), 0, _MIDDLE, 2),
        ),
        1024,
        (1.0, 0.0, 0.5, 0.5),
    ),
}
REDUCTION = 8


def build(
    *,
    size: str = "m0",
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    hidden: int = 0,
    dropout: float = 0.05,
    batch_size: int | None = None,
    name: str = "micronet",
) -> Any:
    """One of :data:`SIZES`; ``hidden`` replaces the hidden layer's channels. Raises KeyError for another size."""
    import keras

    network = SIZES[size]
    inputs = image_input(input_shape, batch_size)
    first, second = network.stem_groups
    x = _norm_conv(inputs, first, (3, 1), (2, 1), 1, "stem_column")
    x = _norm_conv(x, first * second, (1, 3), (1, 2), first, "stem_row")
    x = activate(shuffle(x, first, name="stem"), RELU6, "stem")
    for index, row in enumerate(network.rows):
        x = _block(x, row, network.initial, f"block{index}")
    x = activate(x, RELU6, "last")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Activation("hard_swish", name="pool_hard_swish")(x)
    x = keras.layers.Dense(hidden or network.hidden, name="hidden")(x)
    x = keras.layers.BatchNormalization(epsilon=1e-5, name="hidden_bn")(x)
    x = keras.layers.Activation("hard_swish", name="hidden_hard_swish")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(classes, name="classifier")(x)
    x = keras.layers.BatchNormalization(epsilon=1e-5, name="classifier_bn")(x)
    x = keras.layers.Activation("hard_swish", name="classifier_hard_swish")(x)
    return finish(inputs, keras.layers.Softmax(name="softmax")(x) if classes <= MOST_PROBABILITIES else x, name)


def _norm_conv(x: Any, filters: int, kernel: Pair | int, strides: Pair | int, groups: int, name: str) -> Any:
    """Convolution without bias and batch norm. TensorFlow's depthwise convolution has square strides only, so that one
    with others is a grouped convolution of as many groups as channels."""
    import keras

    conv = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        groups=groups,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )
    return keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(conv(x))


def _column_and_row(x: Any, row: Row, expand: Pair, name: str) -> Any:
    """The factorised depthwise convolution: k x 1, then 1 x k (figure 2), each with its part of the expansion."""
    channels = x.shape[-1]
    made = channels * expand[0]
    x = _norm_conv(x, made, (row.kernel, 1), (row.strides, 1), channels, f"{name}_column")
    return _norm_conv(x, made * expand[1], (1, row.kernel), (1, row.strides), made, f"{name}_row")


def _activate(x: Any, kind: int, groups: int, reduction: int, initial: tuple[float, ...], name: str) -> Any:
    if kind == 0:
        return activate(x, RELU6, name)
    first, second, third, fourth = initial if kind == 2 else (initial[0], 0.0, 0.0, 0.0)
    return shift_max(
        x,
        groups=groups,
        sums=kind,
        reduction=reduction,
        initial=(first, second, third, fourth),
        name=f"{name}_shiftmax",
    )


def _block(x: Any, row: Row, initial: tuple[float, ...], name: str) -> Any:
    """The three kinds of block of figure 3: without expansion, with it, and the last without projection."""
    import keras

    shortcut = x
    before = x.shape[-1]
    middle = before * row.expand[0] * row.expand[1]
    first, second, third = row.shift_max
    reduction = REDUCTION * row.ratio
    if row.project_groups == 0:
        x = _norm_conv(x, middle, 1, 1, row.groups[0], f"{name}_expand")
        return _activate(x, third, row.groups[1], reduction, initial, f"{name}_expand") if third else x
    if row.groups[0] == 0:
        x = _column_and_row(x, row, row.expand, name)
        x = _activate(x, second, row.groups[1], reduction, initial, f"{name}_middle")
        x = shuffle(x, row.groups[1], name=f"{name}_middle")
        if second:
            x = shuffle(x, middle // 2, name=f"{name}_middle2")
        last = reduction // 2
    else:
        x = _norm_conv(x, middle, 1, 1, row.groups[0], f"{name}_expand")
        x = _activate(x, first, row.groups[1], reduction, initial, f"{name}_expand")
        x = shuffle(x, row.groups[1], name=f"{name}_expand")
        x = _column_and_row(x, row, (1, 1), name)
        shift_groups = middle // row.groups[1] if row.groups[1] != 1 else 1
        x = _activate(x, second, shift_groups, reduction, initial, f"{name}_middle")
        if first or second:
            x = shuffle(x, middle // (4 if first and second else 2), name=f"{name}_middle")
        last = reduction // 2 if row.filters < middle else reduction
    x = _norm_conv(x, row.filters, 1, 1, row.project_groups, f"{name}_project")
    if third:
        x = _activate(x, third, row.project_groups, last, initial, f"{name}_project")
    x = shuffle(x, row.project_groups, name=f"{name}_project")
    if third and row.filters % 2 == 0:
        x = shuffle(x, row.filters // 2, name=f"{name}_project2")
    residual = row.strides == 1 and before == row.filters
    return keras.layers.Add(name=f"{name}_add")([shortcut, x]) if residual else x


_PAPER = "Li et al. 2021, MicroNet, arXiv:2108.05894, table 2"


def _row(size: str, millions: float) -> Entry:
    published = Published("liyunsheng13/micronet, README", round(millions * 1_000_000), 100_000)
    return Entry(
        f"micronet_{size}_224", "micronet", "image_classification", _PAPER, build, (("size", size),), published
    )


ROWS = (
    Entry(
        "micronet_m0_96",
        "micronet",
        "visual_wake_words",
        _PAPER,
        build,
        (("input_shape", (96, 96, 3)), ("classes", 2), ("hidden", 128)),
        board="nano33ble",
    ),
    _row("m0", 1.0),
    _row("m1", 1.8),
    _row("m2", 2.4),
    _row("m3", 2.6),
)
