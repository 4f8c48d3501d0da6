"""ADD, SUB and MUL on ``tml_add``, ``tml_sub`` and ``tml_mul``, with NumPy's broadcasting.

Sources: TFLite ``kernels/add.cc``, ``sub.cc``, ``mul.cc`` (Prepare) and ``reference/integer_ops/add.h``, ``mul.h``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from tinyml.errors import UnsupportedError
from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Graph, Op, Tensor
from tinyml.graph.ops import BinaryAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.common import first_output, make_step
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Ints, Out, Role, Step, Target

MAX_LOOPS = 5
_LEFT_SHIFT = 20


@dataclass(frozen=True, slots=True)
class Loops:
    """Nested loops over an output, outermost first: how often, and by how much each operand advances."""

    sizes: tuple[int, ...]
    strides_a: tuple[int, ...]
    strides_b: tuple[int, ...]


def broadcast_loops(a: tuple[int, ...], b: tuple[int, ...], out: tuple[int, ...]) -> Loops:
    """The fewest loops that broadcast shapes ``a`` and ``b`` to ``out``, at least one."""
    rank = len(out)
    shape_a, shape_b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    merged: list[tuple[int, bool, bool]] = []
    for size, size_a, size_b in zip(out, shape_a, shape_b, strict=True):
        if size == 1:
            continue
        moves = (size_a != 1, size_b != 1)
        if merged and merged[-1][1:] == moves:
            merged[-1] = (merged[-1][0] * size, *moves)
        else:
            merged.append((size, *moves))
    if not merged:
        merged.append((1, True, True))
    strides: list[tuple[int, int]] = []
    step_a = step_b = 1
    for size, moves_a, moves_b in reversed(merged):
        strides.insert(0, (step_a if moves_a else 0, step_b if moves_b else 0))
        step_a *= size if moves_a else 1
        step_b *= size if moves_b else 1
    return Loops(tuple(m[0] for m in merged), tuple(s[0] for s in strides), tuple(s[1] for s in strides))


def padded_loops(graph: Graph, op: Op) -> Loops:
    """The op's loops with :data:`MAX_LOOPS` levels; raises :class:`UnsupportedError` where it takes more."""
    shapes = (graph.tensor(op.inputs[0]).shape, graph.tensor(op.inputs[1]).shape, first_output(graph, op).shape)
    loops = broadcast_loops(*shapes)
    missing = MAX_LOOPS - len(loops.sizes)
    if missing < 0:
        raise UnsupportedError(
            f"{op.kind} ({op.name}) broadcasts {list(shapes[0])} with {list(shapes[1])}, which takes"
            f" {len(loops.sizes)} nested loops and {MAX_LOOPS} are supported",
            hint="reshape an operand so that neighbouring dimensions broadcast alike",
        )
    return Loops((1,) * missing + loops.sizes, (0,) * missing + loops.strides_a, (0,) * missing + loops.strides_b)


def operands(graph: Graph, op: Op) -> tuple[tuple[Arg, Arg], tuple[int, ...], tuple[Const, ...]]:
    """The arguments of both operands, the activations among them and the constants among them."""
    inputs: list[int] = []
    consts: list[Const] = []
    args: list[Arg] = []
    for index, name in zip(op.inputs, ("a", "b"), strict=True):
        tensor = graph.tensor(index)
        if tensor.data is not None:
            args.append(ConstRef(len(consts)))
            consts.append(Const(name, tensor.data, Role.WEIGHTS))
            continue
        if index not in inputs:
            inputs.append(index)
        args.append(In(inputs.index(index)))
    return (args[0], args[1]), tuple(inputs), tuple(consts)


def in_place(graph: Graph, inputs: tuple[int, ...], output: Tensor) -> tuple[tuple[int, int], ...]:
    """Operands as large as the output are read just before their place is written."""
    return tuple((i, 0) for i, t in enumerate(inputs) if graph.tensor(t).elements == output.elements)


def _build(graph: Graph, op: Op, kernel: str, ints: dict[str, int]) -> Step:
    clamps = activation_range(cast(BinaryAttrs, op.attrs).activation, first_output(graph, op))
    ends = {"out_min": clamps.low, "out_max": clamps.high}
    return broadcast_step(graph, op, kernel, "tml_binary.h", ends | ints)


def broadcast_step(graph: Graph, op: Op, kernel: str, header: str, ints: dict[str, int]) -> Step:
    """The step of a kernel of two operands that takes loops, the three zero points and then ``ints``."""
    output = first_output(graph, op)
    loops = padded_loops(graph, op)
    arguments, inputs, consts = operands(graph, op)
    zero_points = {
        "a_zero_point": graph.tensor(op.inputs[0]).zero_point,
        "b_zero_point": graph.tensor(op.inputs[1]).zero_point,
        "out_zero_point": output.zero_point,
    }
    args: tuple[Arg, ...] = (
        *arguments,
        Out(0),
        Ints("sizes", loops.sizes),
        Ints("strides_a", loops.strides_a),
        Ints("strides_b", loops.strides_b),
        Int("out_pitch", loops.sizes[-1]),
        *(Int(name, value) for name, value in (zero_points | ints).items()),
    )
    return make_step(
        graph,
        op,
        kernel=kernel,
        header=header,
        inputs=inputs,
        args=args,
        consts=consts,
        in_place=in_place(graph, inputs, output),
    )


def sum_multipliers(graph: Graph, op: Op) -> dict[str, int]:
    """Multipliers and shifts of both operands and of the output of ADD and SUB, whose operands are scaled by 2^20.

    Raises UnsupportedError where the sum is scaled up.
    """
    scale_a, scale_b = graph.tensor(op.inputs[0]).scale, graph.tensor(op.inputs[1]).scale
    found = multipliers_of_sum(scale_a, scale_b, first_output(graph, op).scale)
    if found["out_shift"] > 0:
        raise UnsupportedError(
            f"{op.kind} ({op.name}) scales its sum up, from {max(scale_a, scale_b):g} to"
            f" {first_output(graph, op).scale:g}",
            hint="TFLite's kernels do not run it either; convert again with another representative data set",
        )
    return found


def multipliers_of_sum(scale_a: float, scale_b: float, scale_out: float) -> dict[str, int]:
    """The same by the scales, as ``kernels/add.cc`` computes them."""
    twice_max = 2 * max(scale_a, scale_b)
    multiplier_a, shift_a = quantize_multiplier(scale_a / twice_max)
    multiplier_b, shift_b = quantize_multiplier(scale_b / twice_max)
    out_multiplier, out_shift = quantize_multiplier(twice_max / (2.0**_LEFT_SHIFT * scale_out))
    return {
        "a_multiplier": multiplier_a,
        "a_shift": shift_a,
        "b_multiplier": multiplier_b,
        "b_shift": shift_b,
        "out_multiplier": out_multiplier,
        "out_shift": out_shift,
    }


def build_add(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of ADD."""
    return _build(graph, op, "tml_add", sum_multipliers(graph, op))


def build_sub(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of SUB."""
    return _build(graph, op, "tml_sub", sum_multipliers(graph, op))


def product_multiplier(graph: Graph, op: Op) -> tuple[int, int]:
    """Multiplier and shift of MUL."""
    a, b, out = (graph.tensor(i).scale for i in (*op.inputs, op.outputs[0]))
    return multiplier_of_product(a, b, out)


def multiplier_of_product(scale_a: float, scale_b: float, scale_out: float) -> tuple[int, int]:
    """The same by the scales; TFLite computes its effective scale in float32."""
    return quantize_multiplier(float(np.float32(scale_a) * np.float32(scale_b) / np.float32(scale_out)))


def build_mul(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step of MUL."""
    multiplier, shift = product_multiplier(graph, op)
    return _build(graph, op, "tml_mul", {"out_multiplier": multiplier, "out_shift": shift})
