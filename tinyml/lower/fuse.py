"""Several functions of one int8 as one table: swish (``x * sigmoid(x)``), hard sigmoid, a chain of activations.

An op whose inputs are all functions of one tensor, or single constants, is itself such a function, and its 256 results
are computed here with each op's own rounding. So the table gives the bytes that the ops one behind the other would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from tinyml.graph.fixed_point import high_mul, multiply_by_quantized_multiplier, rounding_shift, wrap32
from tinyml.graph.ir import ABSENT, DType, Graph, Op
from tinyml.graph.ops import BinaryAttrs
from tinyml.graph.ops.lookup import LookupAttrs
from tinyml.graph.quantisation import activation_range
from tinyml.lower.ops.binary import product_multiplier, sum_multipliers
from tinyml.lower.ops.elementwise import CURVES, table_of

_BINARY = frozenset({"ADD", "SUB", "MUL"})


@dataclass(frozen=True, slots=True)
class _Function:
    """A tensor as a function of ``root``: its values where that is -128 to 127, and the ops that it takes, in order."""

    root: int
    values: tuple[int, ...]
    ops: tuple[int, ...] = ()


def fuse(graph: Graph) -> Graph:
    """``graph`` with a LOOKUP for each function that takes several ops whose results nothing else reads."""
    found = _functions(graph)
    readers = graph.consumers()
    ops: list[Op] = list(graph.ops)
    gone: set[int] = set()
    for index in reversed(range(len(ops))):
        function = found.get(ops[index].outputs[0])
        if index in gone or function is None or len(function.ops) < 2:
            continue
        within = set(function.ops)
        inner = [graph.ops[i].outputs[0] for i in function.ops if i != index]
        if any(t in graph.outputs or not within.issuperset(readers.get(t, ())) for t in inner):
            continue
        kinds = tuple(graph.ops[i].kind for i in function.ops)
        ops[index] = replace(
            ops[index], kind="LOOKUP", inputs=(function.root,), attrs=LookupAttrs(function.values, kinds)
        )
        gone |= within - {index}
    return graph.with_ops(op for i, op in enumerate(ops) if i not in gone) if gone else graph


def function_of_one(graph: Graph, op: Op) -> tuple[int, tuple[int, ...]] | None:
    """The tensor that ``op`` is a function of, element by element, and its 256 results; None for other ops."""
    function = _functions(graph.with_ops([op])).get(op.outputs[0])
    return None if function is None else (function.root, function.values)


def _functions(graph: Graph) -> dict[int, _Function]:
    """Every tensor that is a function of one other."""
    found: dict[int, _Function] = {}
    for index, op in enumerate(graph.ops):
        if len(op.outputs) != 1 or graph.tensors[op.outputs[0]].dtype is not DType.INT8 or ABSENT in op.inputs:
            continue
        run_time = [t for t in op.inputs if not graph.tensors[t].is_constant]
        if op.kind not in CURVES | _BINARY or not run_time or graph.tensors[run_time[0]].dtype is not DType.INT8:
            continue
        values = _values(graph, op, found)
        if values is not None:
            inputs = [found.get(t) for t in run_time]
            before = {i for function in inputs if function for i in function.ops}
            root = _root(op, run_time, found)
            found[op.outputs[0]] = _Function(root, values, (*sorted(before), index))
    return found


def _root(op: Op, run_time: list[int], found: dict[int, _Function]) -> int:
    """What all inputs are functions of: the input itself where it is none, or where another input is its function."""
    plain = [t for t in run_time if all(f.root == t for o in run_time if o != t and (f := found.get(o)) is not None)]
    roots = {found[t].root if t in found else t for t in run_time}
    return roots.pop() if len(roots) == 1 else plain[0]


def _values(graph: Graph, op: Op, found: dict[int, _Function]) -> tuple[int, ...] | None:
    """The op's results for the 256 values of what its inputs are functions of; None where that is not one tensor."""
    identity = tuple(range(-128, 128))
    if op.kind in CURVES:
        source = found.get(op.inputs[0])
        table = table_of(graph, op)
        return tuple(table[v + 128] for v in (source.values if source else identity))
    operands: list[tuple[int, ...]] = []
    roots = set()
    for tensor in op.inputs:
        data = graph.tensors[tensor].data
        if data is not None:
            if data.size != 1:
                return None
            operands.append((int(data.reshape(-1)[0]),) * 256)
            continue
        if graph.tensors[tensor].shape != graph.tensors[op.outputs[0]].shape:
            return None
        function = found.get(tensor, _Function(tensor, identity))
        roots.add(function.root)
        operands.append(function.values)
    return _results(graph, op, operands[0], operands[1]) if len(roots) == 1 else None


def _results(graph: Graph, op: Op, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """ADD, SUB and MUL of pairs, as ``tml_sum`` and ``tml_mul`` compute them."""
    output = graph.tensors[op.outputs[0]]
    clamps = activation_range(cast(BinaryAttrs, op.attrs).activation, output)
    zero_a, zero_b = (graph.tensors[t].zero_point for t in op.inputs)

    def clamped(value: int) -> int:
        return max(clamps.low, min(clamps.high, wrap32(value + output.zero_point)))

    if op.kind == "MUL":
        factor = product_multiplier(graph, op)
        products = ((x - zero_a) * (y - zero_b) for x, y in zip(a, b, strict=True))
        return tuple(clamped(multiply_by_quantized_multiplier(p, *factor)) for p in products)
    m = sum_multipliers(graph, op)

    def scaled(value: int, which: str) -> int:
        return rounding_shift(high_mul(value << 20, m[f"{which}_multiplier"]), -m[f"{which}_shift"])

    sign = -1 if op.kind == "SUB" else 1
    sums = (scaled(x - zero_a, "a") + sign * scaled(y - zero_b, "b") for x, y in zip(a, b, strict=True))
    return tuple(clamped(rounding_shift(high_mul(s, m["out_multiplier"]), -m["out_shift"])) for s in sums)
