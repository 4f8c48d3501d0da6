"""Checks of a graph: that it is sound (between all stages), and that the compiler supports every op of it."""

from __future__ import annotations

from collections.abc import Iterator

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import ABSENT, MAX_SCALE, DType, Graph, Tensor
from tinyml.graph.ops import SPECS

BORDER_TYPES = (DType.INT8, DType.UINT8, DType.FLOAT32, DType.INT32, DType.INT64, DType.BOOL)
"""Element types that inputs and outputs of a graph may have."""

_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


def check_supported(graph: Graph) -> None:
    """Raise UnsupportedError for the first op that breaks a constraint, naming op, layer, rule and facts."""
    for op in graph.ops:
        spec = SPECS.get(op.kind)
        if spec is None:
            raise UnsupportedError(
                f"layer {op.name!r}: the op {op.kind} is not supported",
                hint="docs/supported-ops.md lists the ops that are; replace the layer that makes it",
            )
        for rule, facts in spec.violations(graph, op):
            raise UnsupportedError(
                f"layer {op.name!r} ({op.kind}) is not supported: {facts}. the rule: {rule.rstrip('.')}",
                hint="docs/supported-ops.md lists every rule; tinyml quantize converts a model within them",
            )
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.dtype not in BORDER_TYPES:
            raise UnsupportedError(
                f"{tensor.name[:80]!r}, an input or output of the graph, is {tensor.dtype.value}",
                hint="convert with int8 inputs and outputs: tinyml quantize",
            )


def check_health(graph: Graph) -> None:
    """Raise UnsupportedError where the graph contradicts itself: see :func:`problems`."""
    for problem in problems(graph):
        raise UnsupportedError(f"the graph is not sound: {problem}", hint="convert the model again")


def problems(graph: Graph) -> Iterator[str]:
    """What is wrong with a graph: indices, order of execution, producers, constants, sizes, names.

    Later problems may be consequences of the first.
    """
    count = len(graph.tensors)
    used = [*graph.inputs, *graph.outputs, *(t for op in graph.ops for t in op.outputs)]
    used += [t for op in graph.ops for t in op.inputs if t != ABSENT]
    beyond = [t for t in used if not 0 <= t < count]
    if beyond:
        yield f"tensor {beyond[0]} is named, there are {count}"
        return
    if len(graph.source_tensors) not in (0, count):
        yield f"{len(graph.source_tensors)} source indices for {count} tensors"
    if len(graph.source_channels) not in (0, count):
        yield f"{len(graph.source_channels)} lists of source channels for {count} tensors"
    for tensor in graph.tensors:
        yield from (f"tensor {tensor.name[:80]!r} {problem}" for problem in _tensor_problems(tensor))
    yield from _order_problems(graph)
    names = [op.name for op in graph.ops]
    if len(set(names)) != len(names) or not all(names):
        yield "layer names are not unique"


def _tensor_problems(tensor: Tensor) -> Iterator[str]:
    if any(size < 1 for size in tensor.shape) or tensor.size_bytes >= 1 << 31:
        yield f"has the shape {list(tensor.shape)}"
    if tensor.data is not None and (tensor.data.shape != tensor.shape or tensor.data.dtype != tensor.dtype.numpy):
        yield f"holds {tensor.data.dtype} {tensor.data.shape}, it is {tensor.dtype.value} {tensor.shape}"
    quant = tensor.quant
    if quant is None:
        return
    if not quant.scales or len(quant.scales) != len(quant.zero_points):
        yield f"has {len(quant.scales)} scales and {len(quant.zero_points)} zero points"
    if not all(0 < s <= MAX_SCALE for s in quant.scales):
        yield "has a scale that is not a positive number up to 2^64"
    low, high = _RANGES.get(tensor.dtype, (0, 0))
    if not all(low <= z <= high for z in quant.zero_points):
        yield f"has a zero point outside {low} to {high}"
    along = tensor.shape[quant.axis] if 0 <= quant.axis < len(tensor.shape) else 0
    if quant.per_channel and along != len(quant.scales):
        yield f"has {len(quant.scales)} scales along dimension {quant.axis} of {list(tensor.shape)}"


def _order_problems(graph: Graph) -> Iterator[str]:
    for what, border in (("input", graph.inputs), ("output", graph.outputs)):
        if len(set(border)) != len(border):
            yield f"a tensor is {what} twice"
    known = set(graph.inputs)
    if any(graph.tensors[i].is_constant for i in graph.inputs):
        yield "an input is constant"
    for op in graph.ops:
        for index in op.inputs:
            if index != ABSENT and index not in known and not graph.tensors[index].is_constant:
                yield f"layer {op.name!r} reads {graph.tensors[index].name[:80]!r} before it is written"
        for index in op.outputs:
            if index in known or graph.tensors[index].is_constant:
                yield f"layer {op.name!r} writes {graph.tensors[index].name[:80]!r}, which has its values already"
            known.add(index)
    for index in graph.outputs:
        if index not in known or index in graph.inputs:
            yield f"the output {graph.tensors[index].name[:80]!r} is not computed"
