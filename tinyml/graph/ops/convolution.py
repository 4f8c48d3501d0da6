"""What CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED share: constant int8 weights, int32 bias, requantisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from tinyml.graph.ir import ABSENT, DType, Graph, Op, Tensor
from tinyml.graph.ops.common import Int8Spec, accumulator_bounds, multiplier_facts, shape_text


class WeightedSpec(Int8Spec):
    """An op with inputs (x, weights, bias or ABSENT); output channels lie along ``channel_axis`` of the weights."""

    inputs_min = 3
    inputs_max = 3
    channel_axis: ClassVar[int] = 0
    weights_rank: ClassVar[int] = 4

    def activations(self, graph: Graph, op: Op) -> Iterator[tuple[str, Tensor]]:
        """The data input and the output."""
        yield "input 0", graph.tensors[op.inputs[0]]
        yield "output 0", graph.tensors[op.outputs[0]]

    def constraint_int8(self, graph: Graph, op: Op) -> str | None:
        """The input and the output are int8 with one scale and one zero point."""
        if ABSENT in op.inputs[:2]:
            return f"input {op.inputs.index(ABSENT)} is absent"
        absent_bias = Op(op.kind, op.name, (op.inputs[0], op.inputs[1], op.inputs[1]), op.outputs, op.attrs)
        return super().constraint_int8(graph, absent_bias)

    def constraint_run_time(self, graph: Graph, op: Op) -> str | None:
        """The input and the output are computed at run time."""
        constant = [which for which, tensor in self.activations(graph, op) if tensor.is_constant]
        return f"{constant[0]} is constant" if constant else None

    def constraint_weights(self, graph: Graph, op: Op) -> str | None:
        """The weights are constant int8 of the op's rank."""
        weights = graph.tensors[op.inputs[1]]
        if weights.data is None:
            return "the weights are computed at run time"
        if weights.dtype is not DType.INT8 or weights.quant is None:
            return f"the weights are {weights.dtype.value}{'' if weights.quant else ', not quantised'}"
        return None if len(weights.shape) == self.weights_rank else f"the weights are {shape_text(weights.shape)}"

    def constraint_weights_quantisation(self, graph: Graph, op: Op) -> str | None:
        """The weights are quantised per tensor or per output channel, with zero point 0."""
        quant = graph.tensors[op.inputs[1]].quant
        if quant is None:
            return "not quantised"
        if quant.per_channel and quant.axis != self.channel_axis:
            return f"got {len(quant.scales)} scales along dimension {quant.axis}"
        return None if not any(quant.zero_points) else "a zero point is not 0"

    def constraint_bias(self, graph: Graph, op: Op) -> str | None:
        """The bias, where there is one, is constant int32 with one value for each output channel."""
        if op.inputs[2] == ABSENT:
            return None
        bias, channels = graph.tensors[op.inputs[2]], graph.tensors[op.inputs[1]].shape[self.channel_axis]
        if bias.data is None:
            return "the bias is computed at run time"
        if bias.dtype is not DType.INT32:
            return f"the bias is {bias.dtype.value}"
        return None if bias.shape == (channels,) else f"got {shape_text(bias.shape)} for {channels} channels"

    def constraint_accumulator(self, graph: Graph, op: Op) -> str | None:
        """For every output channel |bias| + 256 * sum(|weights|) is below 2^31, so that no int32 sum overflows."""
        weights = graph.tensors[op.inputs[1]].data
        bias = None if op.inputs[2] == ABSENT else graph.tensors[op.inputs[2]].data
        if weights is None:
            return "the weights are computed at run time"
        bounds = accumulator_bounds(weights, self.channel_axis, bias)
        worst = int(bounds.argmax())
        return None if bounds[worst] < 1 << 31 else f"channel {worst} reaches {bounds[worst]}"

    def constraint_multiplier(self, graph: Graph, op: Op) -> str | None:
        """Input scale times weight scale divided by output scale is below 2^30."""
        x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        quant = graph.tensors[op.inputs[1]].quant
        scales = quant.scales if quant is not None else ()
        return next(filter(None, (multiplier_facts(x.scale * s / y.scale) for s in (max(scales), min(scales)))), None)
