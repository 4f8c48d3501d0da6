"""QUANTIZE and DEQUANTIZE: between float32 and integers at a model's borders, between 8-bit types anywhere."""

from __future__ import annotations

from tinyml.errors import UnsupportedError
from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import DType, Graph, Op
from tinyml.graph.quantisation import dtype_range
from tinyml.lower.ops import elementwise
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.program import Float, In, Int, Out, Step, Target

_BYTES = (DType.INT8, DType.UINT8)
_KERNEL_SUFFIX = {DType.INT8: "int8", DType.UINT8: "uint8", DType.INT16: "int16"}


def build_quantize(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step: from float32 (AffineQuantize), from int16 (Requantize), or a table between 8-bit types."""
    x, output = first_input(graph, op), first_output(graph, op)
    if x.dtype in _BYTES and output.dtype in _BYTES:
        return elementwise.build(graph, op, target)
    if x.dtype is DType.FLOAT32 and output.dtype in _KERNEL_SUFFIX:
        return make_step(
            graph, op, kernel=f"tml_quantize_float_{_KERNEL_SUFFIX[output.dtype]}", header="tml_quantize.h",
            inputs=op.inputs[:1],
            args=(
                In(0), Out(0), Int("elements", x.elements), Float("scale", output.scale),
                Int("zero_point", output.zero_point),
            ),
        )
    if x.dtype is DType.INT16 and output.dtype is DType.INT8:
        multiplier, shift = quantize_multiplier(x.scale / output.scale)
        clamps = dtype_range(output.dtype)
        return make_step(
            graph, op, kernel="tml_requantize_int16_int8", header="tml_quantize.h", inputs=op.inputs[:1],
            args=(
                In(0), Out(0), Int("elements", x.elements),
                Int("in_zero_point", x.zero_point), Int("out_zero_point", output.zero_point),
                Int("multiplier", multiplier), Int("shift", shift),
                Int("out_min", clamps.low), Int("out_max", clamps.high),
            ),
        )
    raise UnsupportedError(
        f"QUANTIZE ({op.name}) from {x.dtype.value} to {output.dtype.value} is not supported",
        hint="convert the model with int8 inputs and outputs",
    )


def build_dequantize(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step: ``scale * (q - zero_point)`` in float32."""
    x = first_input(graph, op)
    if x.dtype not in _KERNEL_SUFFIX:
        raise UnsupportedError(
            f"DEQUANTIZE ({op.name}) from {x.dtype.value} is not supported",
            hint="convert the model with int8 inputs and outputs",
        )
    return make_step(
        graph, op, kernel=f"tml_dequantize_{_KERNEL_SUFFIX[x.dtype]}", header="tml_quantize.h", inputs=op.inputs[:1],
        args=(In(0), Out(0), Int("elements", x.elements), Float("scale", x.scale), Int("zero_point", x.zero_point)),
    )
