"""Constraints and arithmetic that several ops share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import ABSENT, DType, Graph, Op, Tensor
from tinyml.graph.ops.base import Attrs, OpSpec

A = TypeVar("A", bound=Attrs)

MAX_STEP = 4096
"""Largest stride and dilation; beyond any network's, small enough for 32-bit address arithmetic."""

SCALE_TOLERANCE = 1e-6
"""What TFLite allows between the scales of a pool's input and output (``TF_LITE_ENSURE_NEAR`` in ``pooling.cc``)."""


def attrs_of(op: Op, kind: type[A]) -> A:
    """The op's attributes by their type; raises TypeError where they are of another."""
    if not isinstance(op.attrs, kind):
        raise TypeError(f"{op.kind} {op.name!r} has {type(op.attrs).__name__}, not {kind.__name__}")
    return op.attrs


def operands(graph: Graph, op: Op) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of an op that is there, as ("input 0", tensor) … ("output 0", tensor)."""
    for position, index in enumerate(op.inputs):
        if index != ABSENT:
            yield f"input {position}", graph.tensors[index]
    for position, index in enumerate(op.outputs):
        yield f"output {position}", graph.tensors[index]


def shape_text(shape: tuple[int, ...]) -> str:
    """``1x96x96x3``; ``scalar`` for no dimensions."""
    return "x".join(map(str, shape)) or "scalar"


def window_output(size: int, before: int, after: int, kernel: int, stride: int, dilation: int) -> int:
    """Output rows of a window that slides over ``before + size + after`` rows; 0 or less where it does not fit."""
    return (before + size + after - (kernel - 1) * dilation - 1) // stride + 1


def accumulator_bounds(
    weights: npt.NDArray[np.int8], axis: int, bias: npt.NDArray[np.int32] | None
) -> npt.NDArray[np.int64]:
    """For each output channel ``|bias| + 256 * sum(|weights|)``: no partial sum is larger in magnitude.

    It covers ``(x - zero_point) * w`` and a zero point folded into the bias, because ``|x| + |zero_point| <= 256``.
    """
    magnitudes = np.abs(weights.astype(np.int32)).sum(
        axis=tuple(d for d in range(weights.ndim) if d != axis), dtype=np.int64
    )
    result: npt.NDArray[np.int64] = 256 * magnitudes
    if bias is not None:
        result = result + np.abs(bias.astype(np.int64))
    return result


class Int8Spec(OpSpec):
    """An op on int8 activations; subclasses say how many inputs it has."""

    inputs_min: ClassVar[int] = 1
    inputs_max: ClassVar[int] = 1

    def constraint_attributes(self, graph: Graph, op: Op) -> str | None:
        """The op has its number of inputs, one output, and attributes of its own type."""
        if self.inputs_min <= len(op.inputs) <= self.inputs_max and len(op.outputs) == 1:
            return None if type(op.attrs) is self.attrs_type else f"got {type(op.attrs).__name__}"
        return f"got {len(op.inputs)} inputs and {len(op.outputs)} outputs"

    def activations(self, graph: Graph, op: Op) -> Iterator[tuple[str, Tensor]]:
        """The operands that have to be int8 with a single scale; weights and biases are left out by their specs."""
        return operands(graph, op)

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """Inputs and outputs are int8 with one scale and one zero point."""
        if ABSENT in op.inputs[: self.inputs_min]:
            return f"input {op.inputs.index(ABSENT)} is absent"
        for which, tensor in self.activations(graph, op):
            if tensor.dtype is not DType.INT8:
                return f"{which} is {tensor.dtype.value}"
            if tensor.quant is None:
                return f"{which} is not quantised"
            if tensor.quant.per_channel:
                return f"{which} has {len(tensor.quant.scales)} scales"
        return None

    def constraint_run_time(self, graph: Graph, op: Op) -> str | None:
        """At least one input is computed at run time, and the output is."""
        values = [graph.tensors[i] for i in op.inputs if i != ABSENT]
        if all(t.is_constant for t in values):
            return "every input is constant"
        return "the output is constant" if graph.tensors[op.outputs[0]].is_constant else None


class ElementwiseSpec(Int8Spec):
    """An op of one input whose output has the input's shape."""

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The output has the input's shape."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        return None if x.shape == y.shape else f"got {shape_text(x.shape)} to {shape_text(y.shape)}"


def all_of(graph: Graph, op: Op, *dtypes: DType) -> bool:
    """Whether every operand has one and the same of ``dtypes``."""
    found = {tensor.dtype for _, tensor in operands(graph, op)}
    return len(found) == 1 and found <= set(dtypes)


def multiplier_facts(real_multiplier: float) -> str | None:
    """Facts where a requantisation multiplier is beyond what TFLite's ``QuantizeMultiplier`` can represent."""
    return None if 0 < real_multiplier < 2**30 else f"got {real_multiplier:g}"


def different_quantisation(a: Tensor, b: Tensor) -> str | None:
    """Facts where two tensors have different parameters."""
    if a.quant is None or b.quant is None or a.quant == b.quant:
        return None
    return f"got scale {a.scale:g}, zero point {a.zero_point} and scale {b.scale:g}, zero point {b.zero_point}"


def window_facts(graph: Graph, op: Op, kernel: tuple[int, ...], attrs: Any, dilation: tuple[int, int]) -> str | None:
    """Facts where the output of a convolution or a pool is not what its window gives, channels left aside."""
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    rows = window_output(x.shape[1], attrs.pad_top, attrs.pad_bottom, kernel[0], attrs.stride_h, dilation[0])
    columns = window_output(x.shape[2], attrs.pad_left, attrs.pad_right, kernel[1], attrs.stride_w, dilation[1])
    if min(rows, columns) < 1 or y.shape[:3] != (x.shape[0], rows, columns):
        return f"the window gives {rows}x{columns} of {shape_text(x.shape)}, the output is {shape_text(y.shape)}"
    return None


def image_facts(graph: Graph, op: Op) -> str | None:
    """Facts where the input or the output is not one image."""
    for which, index in (("input", op.inputs[0]), ("output", op.outputs[0])):
        shape = graph.tensors[index].shape
        if len(shape) != 4 or shape[0] != 1:
            return f"the {which} is {shape_text(shape)}"
    return None


def step_facts(**steps: int) -> str | None:
    """Facts where a stride or a dilation is out of range."""
    for name, value in steps.items():
        if not 1 <= value <= MAX_STEP:
            return f"got {name} {value}"
    return None
