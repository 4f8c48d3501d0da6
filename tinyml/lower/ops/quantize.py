"""QUANTIZE and DEQUANTIZE: between float32 and 8-bit integers at a model's borders, between 8-bit types anywhere."""

from __future__ import annotations

from tinyml.graph.ir import DType, Graph, Op
from tinyml.lower.ops import elementwise
from tinyml.lower.ops.common import first_input, first_output, make_step
from tinyml.lower.program import Float, In, Int, Out, Step, Target


def build_quantize(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step: from float32 (TFLite's AffineQuantize), or a table between 8-bit types (Requantize)."""
    x, output = first_input(graph, op), first_output(graph, op)
    if x.dtype is not DType.FLOAT32:
        return elementwise.build(graph, op, target)
    return make_step(
        graph,
        op,
        kernel=f"tml_quantize_float_{output.dtype.value}",
        header="tml_quantize.h",
        inputs=op.inputs[:1],
        args=(
            In(0),
            Out(0),
            Int("elements", x.elements),
            Float("scale", output.scale),
            Int("zero_point", output.zero_point),
        ),
    )


def build_dequantize(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step: ``scale * (q - zero_point)`` in float32."""
    x = first_input(graph, op)
    return make_step(
        graph,
        op,
        kernel=f"tml_dequantize_{x.dtype.value}",
        header="tml_quantize.h",
        inputs=op.inputs[:1],
        args=(In(0), Out(0), Int("elements", x.elements), Float("scale", x.scale), Int("zero_point", x.zero_point)),
    )
