"""Ops that compare, choose and convert, on the kernels of ``tml_logic.h``.

Sources: TFLite ``kernels/maximum_minimum.cc``, ``comparisons.cc``, ``select.cc``, ``arg_min_max.cc``, ``reduce.cc``.
"""

from __future__ import annotations

from math import prod
from typing import cast

from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.ops import ArgAttrs, ReduceAttrs
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.ops.move import as_bytes
from tinyml.lower.ops.reduce import padded_pairs
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Ints, Out, Role, Step, Target
from tinyml.lower.verdict import APPLIES, Verdict, unfit

LOOPS = 5
HEADER = "tml_logic.h"
Shape = tuple[int, ...]


def loops_over(shapes: tuple[Shape, ...], output: Shape) -> tuple[Shape, list[Shape]]:
    """Sizes of :data:`LOOPS` nested loops that broadcast ``shapes`` to ``output``, and each operand's strides."""
    padded = [(1,) * (len(output) - len(s)) + s for s in shapes]
    merged: list[tuple[int, tuple[bool, ...]]] = []
    for axis, size in enumerate(output):
        moves = tuple(s[axis] != 1 for s in padded)
        if size == 1:
            continue
        if merged and merged[-1][1] == moves:
            merged[-1] = (merged[-1][0] * size, moves)
        else:
            merged.append((size, moves))
    merged = [(1, (True,) * len(shapes))] * (LOOPS - len(merged)) + merged
    strides: list[Shape] = []
    for operand in range(len(shapes)):
        steps = [prod(size for size, moves in merged[i + 1 :] if moves[operand]) for i in range(len(merged))]
        strides.append(tuple(n * moves[operand] for n, (_, moves) in zip(steps, merged, strict=True)))
    return tuple(size for size, _ in merged), strides


def operands(graph: Graph, op: Op) -> tuple[tuple[Arg, ...], tuple[int, ...], tuple[Const, ...]]:
    """The arguments of all operands, the activations among them and the constants among them."""
    inputs = tuple(dict.fromkeys(i for i in op.inputs if not graph.tensor(i).is_constant))
    args: list[Arg] = []
    consts: list[Const] = []
    for index in op.inputs:
        data = graph.tensor(index).data
        if data is None:
            args.append(In(inputs.index(index)))
        else:
            args.append(ConstRef(len(consts)))
            consts.append(Const(f"operand{len(consts)}", as_bytes(data), Role.WEIGHTS))
    return tuple(args), inputs, tuple(consts)


def _broadcast(graph: Graph, op: Op, kernel: str, shapes: tuple[Shape, ...], numbers: tuple[Int, ...] = ()) -> Step:
    output = first_output(graph, op)
    sizes, strides = loops_over(shapes, output.shape)
    args, inputs, consts = operands(graph, op)
    names = ("strides_condition", "strides_a", "strides_b")[-len(strides) :]
    over = tuple(i for i, t in enumerate(inputs) if graph.tensor(t).size_bytes == output.size_bytes)
    alike = [i for i in over if graph.tensor(inputs[i]).dtype.size_bytes == output.dtype.size_bytes]
    return make_step(
        graph,
        op,
        kernel=kernel,
        header=HEADER,
        inputs=inputs,
        consts=consts,
        in_place=tuple((i, 0) for i in alike),
        args=(
            *args,
            Out(0),
            Ints("sizes", sizes),
            *(Ints(name, s) for name, s in zip(names, strides, strict=True)),
            *numbers,
        ),
    )


def _shapes(graph: Graph, op: Op) -> tuple[Shape, ...]:
    return tuple(graph.tensor(i).shape for i in op.inputs)


def build_of_two(graph: Graph, op: Op, target: Target) -> Step:
    """MAXIMUM, MINIMUM, comparisons, LOGICAL_AND and LOGICAL_OR."""
    dtype = first_input(graph, op).dtype
    numbers: tuple[Int, ...] = ()
    if dtype is DType.INT8 and first_output(graph, op).dtype is DType.BOOL:
        found = []
        for name, tensor in zip("ab", (graph.tensor(i) for i in op.inputs), strict=True):
            multiplier, shift = quantize_multiplier(tensor.scale)
            found += [(f"{name}_zero_point", tensor.zero_point), (f"{name}_multiplier", multiplier)]
            found.append((f"{name}_shift", shift))
        numbers = tuple(Int(name, value) for name, value in found)
    return _broadcast(graph, op, f"tml_{op.kind.lower()}_{dtype.value}", _shapes(graph, op), numbers)


def of_int32(graph: Graph, op: Op, target: Target) -> Verdict:
    """Operands of int32, which are not scaled."""
    return APPLIES if first_input(graph, op).dtype is DType.INT32 else unfit("the operands are int8")


def build_int32(graph: Graph, op: Op, target: Target) -> Step:
    """ADD, SUB and MUL of int32, which wrap around."""
    return _broadcast(graph, op, f"tml_{op.kind.lower()}_int32", _shapes(graph, op))


def build_select(graph: Graph, op: Op, target: Target) -> Step:
    """SELECT_V2, and SELECT, whose condition may have one value for each slice along the first dimension."""
    output = first_output(graph, op)
    condition, *choices = _shapes(graph, op)
    if op.kind == "SELECT" and len(condition) == 1:
        condition = condition + (1,) * (len(output.shape) - 1)
    return _broadcast(graph, op, f"tml_select_{output.dtype.value}", (condition, *choices))


def build_not(graph: Graph, op: Op, target: Target) -> Step:
    """LOGICAL_NOT."""
    return make_step(
        graph,
        op,
        kernel="tml_logical_not",
        header=HEADER,
        inputs=op.inputs,
        in_place=((0, 0),),
        args=(In(0), Out(0), Int("elements", first_input(graph, op).elements)),
    )


def build_arg(graph: Graph, op: Op, target: Target) -> Step:
    """ARG_MAX and ARG_MIN."""
    x, output, axis = first_input(graph, op), first_output(graph, op), cast(ArgAttrs, op.attrs).axis
    return make_step(
        graph,
        op,
        kernel=f"tml_arg_{x.dtype.value}_{output.dtype.value}",
        header=HEADER,
        inputs=op.inputs,
        args=(
            In(0),
            Out(0),
            Int("outer", prod(x.shape[:axis])),
            Int("axis", x.shape[axis]),
            Int("inner", prod(x.shape[axis + 1 :])),
            Int("sign", 1 if op.kind == "ARG_MAX" else -1),
        ),
    )


def build_extreme(graph: Graph, op: Op, target: Target) -> Step:
    """REDUCE_MAX and REDUCE_MIN."""
    x = first_input(graph, op)
    pairs = padded_pairs(op, x.shape, cast(ReduceAttrs, op.attrs).axes)
    return make_step(
        graph,
        op,
        kernel=f"tml_extreme_{x.dtype.value}",
        header=HEADER,
        inputs=op.inputs,
        args=(
            In(0),
            Out(0),
            Ints("kept", tuple(p[0] for p in pairs)),
            Ints("reduced", tuple(p[1] for p in pairs)),
            Int("sign", 1 if op.kind == "REDUCE_MAX" else -1),
        ),
    )


def build_cast(graph: Graph, op: Op, target: Target) -> Step:
    """CAST."""
    x, output = first_input(graph, op), first_output(graph, op)
    same = x.dtype.size_bytes == output.dtype.size_bytes
    return make_step(
        graph,
        op,
        kernel="tml_cast",
        header=HEADER,
        inputs=op.inputs,
        in_place=((0, 0),) if same else (),
        args=(
            In(0),
            Out(0),
            Int("elements", x.elements),
            Int("input_bytes", x.dtype.size_bytes),
            Int("output_bytes", output.dtype.size_bytes),
            Int("to_bool", int(output.dtype is DType.BOOL)),
        ),
    )
