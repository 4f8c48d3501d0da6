"""Networks built of cells: five pairs of operations over the two cells before, as NASNet's search space has it.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", 2018, arXiv:1707.07012, section 3;
how cells are joined and reduced from the authors' code (tensorflow/models, slim/nets/nasnet/nasnet_utils.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyml.models.blocks import RELU, activate, classify, divisible, finish, image_input
from tinyml.models.drop_path import drop_path

Operation = tuple[str, int]
"""What is applied, and to which state: 0 is the cell before, 1 the one before that, 2 and on are the pairs' sums."""


@dataclass(frozen=True, slots=True)
class Cell:
    """``pairs`` of operations, each of whose results are added; ``joined`` states are concatenated."""

    pairs: tuple[tuple[Operation, Operation], ...]
    joined: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """A network of cells: ``filters`` channels at width 1, in multiples of ``divisor``.

    ``separate_reductions`` puts a reduction cell before each later run (NASNet, AmoebaNet); otherwise the run's first
    cell has stride 2 itself (PNASNet).
    """

    normal: Cell
    reduction: Cell
    filters: int
    divisor: int
    separate_reductions: bool = True


def build_cells(
    body: Body,
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    cells: int,
    dropout: float = 0.5,
    drop_rate: float = 0.0,
    batch_size: int | None = None,
    name: str,
) -> Any:
    """A classifier with the channels of ``body`` times ``width`` and ``cells`` cells, a multiple of three.

    ``drop_rate`` is drop path's at the last cell. A family's ``build`` is this function with its body.
    """
    inputs = image_input(input_shape, batch_size)
    stem, filters = divisible(32 * width), divisible(body.filters * width, body.divisor)
    x = stacked(inputs, body, stem=stem, filters=filters, cells=cells, drop_rate=drop_rate)
    return finish(inputs, classify(x, classes, dropout=dropout), name)


def batch_norm(x: Any, name: str) -> Any:
    """Batch norm as the cells have it."""
    import keras

    return keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.9997, name=name)(x)


def pointwise(x: Any, filters: int, name: str, strides: int = 1) -> Any:
    """ReLU, 1x1 convolution, batch norm."""
    import keras

    x = activate(x, RELU, f"{name}_in")
    x = keras.layers.Conv2D(filters, 1, strides=strides, use_bias=False, kernel_initializer="he_normal", name=name)(x)
    return batch_norm(x, f"{name}_bn")


def separable(x: Any, filters: int, kernel: int, strides: int, name: str) -> Any:
    """Twice: ReLU, depthwise, 1x1 convolution, batch norm; only the first has the stride."""
    import keras

    for number in (1, 2):
        x = activate(x, RELU, f"{name}_in{number}")
        x = keras.layers.DepthwiseConv2D(
            kernel,
            strides=strides if number == 1 else 1,
            padding="same",
            use_bias=False,
            depthwise_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
            name=f"{name}_depthwise{number}",
        )(x)
        x = keras.layers.Conv2D(
            filters, 1, use_bias=False, kernel_initializer="he_normal", name=f"{name}_pointwise{number}"
        )(x)
        x = batch_norm(x, f"{name}_bn{number}")
    return x


def factorised_reduction(x: Any, filters: int, name: str) -> Any:
    """Halve an image by two 1x1 convolutions with stride 2, one of them shifted by a pixel, and join them."""
    import keras

    x = activate(x, RELU, f"{name}_in")
    height, width = x.shape[1:3]
    shifted = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    shifted = keras.layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_shift")(shifted)
    parts = []
    for number, part in enumerate((x, shifted), start=1):
        made = filters // 2 if number == 1 else filters - filters // 2
        conv = keras.layers.Conv2D(
            made, 1, strides=2, use_bias=False, kernel_initializer="he_normal", name=f"{name}_part{number}"
        )
        parts.append(conv(part))
    assert parts[0].shape[1:3] == (-(-height // 2), -(-width // 2))
    return batch_norm(keras.layers.Concatenate(name=f"{name}_concat")(parts), f"{name}_bn")


def row_and_column(x: Any, filters: int, kernel: int, strides: int, name: str) -> Any:
    """1xk and kx1 convolutions over a quarter of the channels, between two 1x1 ones (AmoebaNet's code)."""
    import keras

    inner = max(1, filters // 4)
    x = pointwise(x, inner, f"{name}_reduce")
    for suffix, shape, step in (("row", (1, kernel), (1, strides)), ("column", (kernel, 1), (strides, 1))):
        x = activate(x, RELU, f"{name}_{suffix}_in")
        x = keras.layers.Conv2D(
            inner,
            shape,
            strides=step,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_{suffix}",
        )(x)
        x = batch_norm(x, f"{name}_{suffix}_bn")
    return pointwise(x, filters, f"{name}_expand")


def build_cell(cell: Cell, before: Any, earlier: Any, filters: int, strides: int, name: str, drop_rate: float) -> Any:
    """Join a cell to the two before it; ``before`` is the nearer. ``drop_rate`` is drop path's, on every operation."""
    import keras

    if earlier is None:
        earlier = before
    elif earlier.shape[1] != before.shape[1]:
        earlier = factorised_reduction(earlier, filters, f"{name}_adjust")
    elif earlier.shape[-1] != filters:
        earlier = pointwise(earlier, filters, f"{name}_adjust")
    states = [pointwise(before, filters, f"{name}_begin"), earlier]
    for number, pair in enumerate(cell.pairs, start=1):
        made = []
        for side, (operation, index) in zip(("left", "right"), pair, strict=True):
            label = f"{name}_pair{number}_{side}"
            step = strides if index < 2 else 1
            x = _apply(states[index], operation, filters, step, label)
            made.append(x if operation == "none" else drop_path(x, drop_rate, name=f"{label}_drop", scheduled=True))
        states.append(keras.layers.Add(name=f"{name}_pair{number}")(made))
    final = states[-1].shape[1]
    joined = []
    for index in cell.joined:
        state = states[index]
        if state.shape[1] != final:
            state = factorised_reduction(state, filters, f"{name}_reduce{index}")
        elif state.shape[-1] != filters:
            state = pointwise(state, filters, f"{name}_reduce{index}")
        joined.append(state)
    return keras.layers.Concatenate(name=f"{name}_concat")(joined)


def _apply(x: Any, operation: str, filters: int, strides: int, name: str) -> Any:
    import keras

    kind, _, size = operation.partition("_")
    kernel = int(size) if size else 0
    if kind == "separable":
        return separable(x, filters, kernel, strides, name)
    if kind == "rowcolumn":
        return row_and_column(x, filters, kernel, strides, name)
    if kind == "none":
        return pointwise(x, filters, name, strides) if strides > 1 or x.shape[-1] != filters else x
    pool = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}[kind]
    x = pool(kernel, strides=strides, padding="same", name=f"{name}_pool")(x)
    if x.shape[-1] != filters:
        x = keras.layers.Conv2D(filters, 1, use_bias=False, kernel_initializer="he_normal", name=f"{name}_fit")(x)
        x = batch_norm(x, f"{name}_fit_bn")
    return x


def stacked(inputs: Any, body: Body, *, stem: int, filters: int, cells: int, drop_rate: float) -> Any:
    """The ImageNet stack: a 3x3 stem, two reduction cells, then three runs of ``cells / 3`` cells, twice halved.

    The rates of drop path grow with the depth up to ``drop_rate``.
    """
    import keras

    x = keras.layers.Conv2D(
        stem, 3, strides=2, padding="valid", use_bias=False, kernel_initializer="he_normal", name="stem"
    )(inputs)
    x = batch_norm(x, "stem_bn")
    outputs: list[Any] = [None, x]
    total = cells + 2 + (2 if body.separate_reductions else 0)
    done = 0

    def add(cell: Cell, channels: int, strides: int, name: str, earlier: Any) -> Any:
        nonlocal done
        done += 1
        return build_cell(cell, outputs[-1], earlier, channels, strides, name, drop_rate * done / total)

    for number, share in ((1, 4), (2, 2)):
        outputs.append(add(body.reduction, max(4, filters // share), 2, f"stem_cell{number}", outputs[-2]))
    halvings = (cells // 3, 2 * cells // 3)
    for number in range(cells):
        scale = 2 ** sum(number >= at for at in halvings)
        earlier, strides = outputs[-2], 1
        if number in halvings:
            if body.separate_reductions:
                outputs.append(add(body.reduction, filters * scale, 2, f"reduction{number}", earlier))
                earlier = outputs[-2]
            else:
                strides = 2
        outputs.append(add(body.normal, filters * scale, strides, f"cell{number}", earlier))
    return activate(outputs[-1], RELU, "last")
