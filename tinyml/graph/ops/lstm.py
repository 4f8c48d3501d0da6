"""UNIDIRECTIONAL_SEQUENCE_LSTM with int8 activations and weights, and an int16 cell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyml.graph.ir import DType, Graph, Op, Quant
from tinyml.graph.ops.base import Attrs, OpSpec
from tinyml.graph.ops.common import accumulator_bounds, attrs_of, shape_text

GATES = 4
"""Input, forget, cell and output gate, in this order."""


_UNKNOWN = Quant((1.0,), (0,))


@dataclass(frozen=True, slots=True)
class LstmAttrs(Attrs):
    """Attributes of the op; inputs are x [B, T, I] (``time_major``: [T, B, I]) with B = 1, the output state [1, O], the
    cell [1, O], four weights [O, I], four recurrent weights [O, O] and four biases [O], each of the gates in order.

    Outputs are y, and both states after the last step. ``hidden`` is the quantisation of the product of output gate and
    cell; ``cell_clip`` is 0 where the cell is not clipped.
    """

    time_major: bool = False
    cell_clip: float = 0.0
    hidden: Quant = _UNKNOWN


def cell_power(scale: float) -> int | None:
    """The exponent of a cell's scale, None where that is no power of two."""
    mantissa, exponent = math.frexp(scale)
    return exponent - 1 if mantissa == 0.5 else None


class UnidirectionalSequenceLstm(OpSpec):
    """Long short-term memory as Keras' layer has it: no projection, no peepholes, no layer norm."""

    kind = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    attrs_type = LstmAttrs

    def constraint_attributes(self, graph: Graph, op: Op) -> str | None:
        """The op has x, two states, four weights, four recurrent weights and four biases, and three outputs."""
        if (len(op.inputs), len(op.outputs)) == (3 + 3 * GATES, 3):
            return None if type(op.attrs) is LstmAttrs else f"got {type(op.attrs).__name__}"
        return f"got {len(op.inputs)} inputs and {len(op.outputs)} outputs"

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """Input, output and output state are int8 with one scale, the cell is int16 with one scale and zero point 0."""
        for index in (*op.inputs[:3], *op.outputs):
            tensor = graph.tensors[index]
            cell = index in (op.inputs[2], op.outputs[2])
            if tensor.dtype is not (DType.INT16 if cell else DType.INT8) or tensor.quant is None:
                return f"{tensor.name[:80]!r} is {tensor.dtype.value}{'' if tensor.quant else ', not quantised'}"
            if tensor.quant.per_channel or (cell and tensor.zero_point):
                return f"{tensor.name[:80]!r} has other scales or zero points"
        return None

    def constraint_weights(self, graph: Graph, op: Op) -> str | None:
        """The weights are constant int8 with one scale and zero point 0, the biases constant int32."""
        for position, index in enumerate(op.inputs[3:]):
            tensor = graph.tensors[index]
            wanted = DType.INT8 if position < 2 * GATES else DType.INT32
            if tensor.data is None or tensor.dtype is not wanted:
                return f"{tensor.name[:80]!r} is {tensor.dtype.value}{' at run time' if tensor.data is None else ''}"
            quant = tensor.quant
            if position < 2 * GATES and (quant is None or quant.per_channel or quant.zero_points != (0,)):
                return f"{tensor.name[:80]!r} has {0 if quant is None else len(quant.scales)} scales"
        return None

    def constraint_shape(self, graph: Graph, op: Op) -> str | None:
        """The input is [1, T, I] or, by time, [T, 1, I], the output as long with one value for each cell."""
        x, state, cell, *constants = (graph.tensors[i].shape for i in op.inputs)
        y = graph.tensors[op.outputs[0]].shape
        batch = 1 if attrs_of(op, LstmAttrs).time_major else 0
        if len(x) != 3 or len(y) != 3 or x[batch] != 1 or y[:2] != x[:2]:
            return f"got {shape_text(x)} to {shape_text(y)}"
        cells = y[2]
        wanted = [(cells, x[2])] * GATES + [(cells, cells)] * GATES + [(cells,)] * GATES
        if constants != wanted or math.prod(state) != cells or math.prod(cell) != cells:
            return f"got {', '.join(map(shape_text, constants))} for {cells} cells of {x[2]} inputs"
        return None

    def constraint_accumulator(self, graph: Graph, op: Op) -> str | None:
        """For every gate and cell |bias| + 256 * sum(|weights|) is below 2^31, so that no int32 sum overflows."""
        for position in range(2 * GATES):
            data = graph.tensors[op.inputs[3 + position]].data
            bias = graph.tensors[op.inputs[3 + 2 * GATES + position]].data if position < GATES else None
            assert data is not None
            bound = int(accumulator_bounds(data, 0, bias).max())
            if bound >= 1 << 31:
                return f"one reaches {bound}"
        return None

    def constraint_scales(self, graph: Graph, op: Op) -> str | None:
        """The cell's scale is a power of two from 2^-15 to 2^-9, and the output's that of the output state."""
        power = cell_power(graph.tensors[op.inputs[2]].scale)
        if power is None or not -15 <= power <= -9:
            return f"the cell has {graph.tensors[op.inputs[2]].scale:g}"
        state, y = graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
        return None if state.quant == y.quant else f"got {state.scale:g} and {y.scale:g}"

    def macs(self, graph: Graph, op: Op) -> int:
        """Steps times four gates of all inputs and cells."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        return y.elements * GATES * (x.shape[2] + y.shape[2])
