"""Steps that run row by row: the same kernels, called with as many rows as a window in memory holds.

A kernel takes its shapes as literals, so a call for some rows of an output is a call over a smaller tensor: the op is
built anew for ``count`` rows of output and the rows of input that they need. Only two numbers differ from call to call,
at the borders: how many rows of padding lie above the first row and how many rows there are. Kernels that take these
as run-time numbers are in :data:`ROW_KERNELS`; others run by rows where no rows of padding are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from tinyml.graph.ir import ABSENT, Graph, Op, Tensor
from tinyml.graph.ops import Conv2DAttrs, DepthwiseConv2DAttrs, PoolAttrs, ViewAttrs
from tinyml.graph.ops.concatenation import ConcatenationAttrs
from tinyml.lower import row_reductions
from tinyml.lower.kernels import build_step
from tinyml.lower.ops import move
from tinyml.lower.program import (
    Arg,
    Blocks,
    Int,
    Ints,
    Pointers,
    Program,
    RowInt,
    Rows,
    Step,
    Target,
    const_key,
)

ELEMENTWISE = frozenset(
    {
        "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE", "DIV", "GELU",
        "EXP", "LOG", "RSQRT", "SQRT", "ABS", "L2_NORMALIZATION", "LOG_SOFTMAX", "LOOKUP",
        "LAYER_NORM",
    }
)  # fmt: skip
BINARY = frozenset({"ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "PRELU", "MAXIMUM", "MINIMUM"})
WINDOWED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})

ROW_KERNELS: dict[str, tuple[str, str]] = {
    "tml_bits_conv2d": ("in_h", "pad_top"),
    "tml_conv2d": ("in_h", "pad_top"),
    "tml_conv2d_dsp": ("height", "pad_top"),
    "tml_conv2d_deep_dsp": ("height", "pad_top"),
    "tml_conv2d_mve": ("height", "pad_top"),
    "tml_conv2d_v6m": ("height", "pad_top"),
    "tml_grouped_conv2d_dsp": ("height", "pad_top"),
    "tml_grouped_conv2d_mve": ("height", "pad_top"),
    "tml_grouped_conv2d_v6m": ("height", "pad_top"),
    "tml_depthwise_conv2d": ("in_h", "pad_top"),
    "tml_depthwise_conv2d_dsp": ("height", "pad_top"),
    "tml_depthwise_clipped_dsp": ("height", "pad_top"),
    "tml_depthwise_conv2d_mve": ("height", "pad_top"),
    "tml_depthwise_conv2d_v6m": ("height", "pad_top"),
    "tml_depthwise_row3_dsp": ("height", "pad_top"),
    "tml_depthwise_row_dsp": ("height", "pad_top"),
    "tml_average_pool2d": ("in_h", "pad_top"),
    "tml_average_pool2d_dsp": ("in_h", "pad_top"),
    "tml_max_pool2d": ("in_h", "pad_top"),
    "tml_max_pool2d_dsp": ("in_h", "pad_top"),
    "tml_max_pool2d_mve": ("height", "pad_top"),
}
"""Kernels whose rows of input and rows of padding above may be known at run time only: the names of both arguments."""

_FIXED_AT_BORDERS: dict[str, dict[str, int]] = {"tml_depthwise_conv2d_dsp": {"gather_rows": 1}}
"""Arguments that divide the rows of a call, which are fewer at the borders."""

_BLOCKWISE = {"tml_conv2d_dsp": 3, "tml_conv2d_deep_dsp": 3}
"""Kernels that go along a row in blocks of so many pixels, times their argument ``blocks``."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How rows of an op's output follow from rows of its inputs; ``positions`` index the op's inputs."""

    kernel: int
    stride: int
    pad_top: int
    in_height: int
    out_height: int
    positions: tuple[int, ...]
    reduces: bool = False


def _is_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[0] == 1 and not tensor.is_constant


def geometry(graph: Graph, op: Op) -> Geometry | None:
    """The vertical geometry of ``op``, None where it cannot run row by row."""
    output = graph.tensor(op.outputs[0])
    if len(op.outputs) != 1 or not op.inputs or op.inputs[0] == ABSENT:
        return None
    x = graph.tensor(op.inputs[0])
    if op.kind in ("AVERAGE_POOL_2D", "MEAN") and _is_image(x) and row_reductions.reduces_image(graph, op):
        return Geometry(1, 1, 0, x.shape[1], 1, (0,), reduces=True)
    if not _is_image(output):
        return None
    if op.kind in WINDOWED and _is_image(x):
        return _windowed(graph, op)
    if op.kind in ELEMENTWISE and x.shape == output.shape and x.dtype.size_bytes == output.dtype.size_bytes:
        return _by_rows(output, (0,))
    if op.kind in BINARY:
        positions = _row_positions(graph, op, output)
        return _by_rows(output, positions) if positions else None
    if isinstance(op.attrs, ViewAttrs) and _is_image(x) and x.shape[1] == output.shape[1]:
        return _by_rows(output, (0,)) if move.rows_of(op.attrs, x.shape, 1) else None
    if op.kind == "CONCATENATION" and cast(ConcatenationAttrs, op.attrs).axis % 4 == 3:
        tensors = [graph.tensor(i) for i in op.inputs]
        return _by_rows(output, tuple(range(len(tensors)))) if all(map(_is_image, tensors)) else None
    return None


def _windowed(graph: Graph, op: Op) -> Geometry:
    attrs: Any = op.attrs
    x, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if isinstance(attrs, PoolAttrs):
        kernel = attrs.filter_h
    else:
        weights, dilated = graph.tensor(op.inputs[1]), cast(Conv2DAttrs | DepthwiseConv2DAttrs, attrs)
        kernel = (weights.shape[1] - 1) * dilated.dilation_h + 1
    return Geometry(kernel, attrs.stride_h, attrs.pad_top, x.shape[1], output.shape[1], (0,))


def _row_positions(graph: Graph, op: Op, output: Tensor) -> tuple[int, ...]:
    """Inputs of the output's height; the others must be the same for every row."""
    positions = []
    for position, index in enumerate(op.inputs):
        tensor = graph.tensor(index)
        if not tensor.is_constant and tensor.shape == output.shape:
            positions.append(position)
        elif len(tensor.shape) >= 3 and tensor.shape[-3] != 1:
            return ()
    return tuple(positions)


def _by_rows(output: Tensor, positions: tuple[int, ...]) -> Geometry:
    return Geometry(1, 1, 0, output.shape[1], output.shape[1], positions)


def _of_rows(graph: Graph, op: Op, found: Geometry, count: int) -> tuple[Graph, Op]:
    """``graph`` and ``op`` with as many rows as a call for ``count`` rows of output sees."""
    tensors = list(graph.tensors)
    rows = (count - 1) * found.stride + found.kernel
    for position in found.positions:
        index = op.inputs[position]
        shape = tensors[index].shape
        tensors[index] = replace(tensors[index], shape=(1, rows, *shape[2:]))
    shape = graph.tensor(op.outputs[0]).shape
    tensors[op.outputs[0]] = replace(tensors[op.outputs[0]], shape=(1, count, *shape[2:]))
    attrs: Any = op.attrs
    if op.kind in WINDOWED:
        attrs = replace(attrs, pad_top=0, pad_bottom=0)
    if isinstance(attrs, ViewAttrs):
        attrs = move.rows_of(attrs, graph.tensor(op.inputs[0]).shape, count)
    part = replace(op, attrs=attrs)
    return replace(graph, tensors=tuple(tensors), ops=tuple(part if o is op else o for o in graph.ops)), part


def _at_run_time(step: Step) -> tuple[Arg, ...]:
    height, pad_top = ROW_KERNELS[step.kernel]
    fixed = _FIXED_AT_BORDERS.get(step.kernel, {})

    def changed(arg: Arg) -> Arg:
        match arg:
            case Int(name, _) if name == height:
                return RowInt("height")
            case Int(name, _) if name == pad_top:
                return RowInt("pad_top")
            case Int(name, _) if name in fixed:
                return Int(name, fixed[name])
        return arg

    return tuple(map(changed, step.args))


def row_step(graph: Graph, op: Op, step: Step, target: Target, count: int = 1) -> Step | None:
    """``step``, which does ``op`` of ``graph``, for ``count`` rows of output a call (a reduction: of input).

    None where it has no such form, or where the rows that are left over would need another kernel or other constants.
    """
    found = geometry(graph, op)
    height = 0 if found is None else found.in_height if found.reduces else found.out_height
    if found is None or count > height:
        return None
    built = _calls_of(graph, op, step, target, found, count)
    if built is None or height % count == 0:
        return built
    last = _calls_of(graph, op, step, target, found, height % count)
    if last is None or not _alike(built, last):
        return None
    scratch_bytes = max(built.scratch_bytes, last.scratch_bytes)
    return replace(built, scratch_bytes=scratch_bytes, last=replace(last, scratch_bytes=scratch_bytes))


def _alike(one: Step, other: Step) -> bool:
    """Whether both call one kernel with the same pointers and constants, only with other numbers."""
    consts = [const_key(c) for c in one.consts] == [const_key(c) for c in other.consts]
    pointers = [a for a in one.args if not isinstance(a, Int)] == [a for a in other.args if not isinstance(a, Int)]
    same = one.kernel == other.kernel and one.inputs == other.inputs and one.in_place == other.in_place
    return consts and pointers and same and not any(isinstance(a, Ints | Pointers) for a in one.args)


def _calls_of(graph: Graph, op: Op, step: Step, target: Target, found: Geometry, count: int) -> Step | None:
    if found.reduces:
        rows = Rows(1, count, count, 0, found.in_height, 1, (0,), reduces=True)
        return replace(row_reductions.build(graph, op, target, count), macs=step.macs, rows=rows)
    part_graph, part = _of_rows(graph, op, found, count)
    built = build_step(part_graph, part, replace(target, by_rows=True))
    last = (found.out_height - 1) * found.stride - found.pad_top + found.kernel
    if found.pad_top > 0 or last > found.in_height:
        if built.kernel not in ROW_KERNELS:
            return None
        built = replace(built, args=_at_run_time(built))
    inside = [op.inputs[position] for position in found.positions]
    rows = Rows(
        count, (count - 1) * found.stride + found.kernel, count * found.stride, found.pad_top, found.in_height,
        found.out_height, tuple(i for i, tensor in enumerate(built.inputs) if tensor in inside), blocks=_blocks(built),
    )  # fmt: skip
    return replace(built, op_indices=step.op_indices, macs=step.macs, rows=rows)


def _blocks(step: Step) -> Blocks | None:
    values = {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}
    pixels = _BLOCKWISE.get(step.kernel, 0) * values.get("blocks", 1)
    return Blocks(pixels, values["stride_w"], values["pad_left"]) if pixels else None


RowSteps = Callable[[int, int], Step | None]


def row_steps_of(program: Program) -> RowSteps:
    """``(step, count) -> row step`` of ``program``, each built once."""
    known: dict[tuple[int, int], Step | None] = {}

    def find(index: int, count: int) -> Step | None:
        if (index, count) not in known:
            step = program.steps[index]
            whole = len(step.op_indices) == 1 and step.rows is None
            op = program.graph.ops[step.op_indices[0]] if whole else None
            known[index, count] = None if op is None else row_step(program.graph, op, step, program.target, count)
        return known[index, count]

    return find


def by_rows(
    program: Program, segments: Sequence[tuple[int, int]], counts: Iterable[tuple[int, int]], find: RowSteps
) -> Program:
    """``program`` with its ``segments`` row by row; ``counts`` are (step, rows a call) where that is not 1."""
    chosen = dict(counts)
    steps = list(program.steps)
    for first, last in segments:
        for index in range(first, last + 1):
            found = find(index, chosen.get(index, 1))
            assert found is not None, f"step {index} does not run row by row"
            steps[index] = found
    return replace(program, steps=tuple(steps), segments=tuple(segments))
