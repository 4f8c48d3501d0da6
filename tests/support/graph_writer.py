"""Writes a graph as a ``.tflite`` file, so that LiteRT runs what a pass made: passes are proven against the oracle."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.support.tflite_builder import Builder
from tinyml.graph.ir import ABSENT, Activation, DType, Graph, Op, Tensor
from tinyml.graph.ops import (
    ArgAttrs,
    BatchMatMulAttrs,
    BinaryAttrs,
    ConcatenationAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    GatherAttrs,
    GeluAttrs,
    LeakyReluAttrs,
    PadAttrs,
    PoolAttrs,
    ReduceAttrs,
    ResizeBilinearAttrs,
    SoftmaxAttrs,
    TablesAttrs,
    TopKAttrs,
    TransposeConvAttrs,
    ViewAttrs,
)

_CODES = {Activation.NONE: "NONE", Activation.RELU: "RELU", Activation.RELU_N1_TO_1: "RELU_N1_TO_1"} | {
    Activation.RELU6: "RELU6"
}
_PLAIN_OPTIONS = {
    "ABS": "AbsOptions",
    "EXP": "ExpOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "LOG_SOFTMAX": "LogSoftmaxOptions",
}
"""Options without a field that the graph keeps."""


def write_graph(graph: Graph) -> bytes:
    """The file's bytes; convolutions that are padded neither SAME nor VALID get a PAD before them."""
    writer = _Writer(graph)
    for op in graph.ops:
        writer.op(op)
    builder = writer.builder
    builder.model.subgraphs[0].inputs = [writer.index[i] for i in graph.inputs]
    return builder.build([writer.index[i] for i in graph.outputs])


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.builder = Builder()
        self.index = {position: self._tensor(tensor) for position, tensor in enumerate(graph.tensors)}
        self._graph = graph

    def _tensor(self, tensor: Tensor) -> int:
        quant = tensor.quant
        return self.builder.tensor(
            tensor.shape,
            dtype=tensor.dtype.value,
            scale=None if quant is None else quant.scales,
            zero_point=0 if quant is None else quant.zero_points,
            axis=0 if quant is None else quant.axis,
            data=tensor.data,
            name=tensor.name,
        )

    def op(self, op: Op) -> None:
        inputs = [self.index[i] for i in op.inputs if i != ABSENT]
        outputs = [self.index[i] for i in op.outputs]
        if isinstance(op.attrs, ViewAttrs | TablesAttrs):
            self._moves(op.attrs, inputs[0], outputs[0])
            return
        if isinstance(op.attrs, TopKAttrs):
            outputs = self._both(op.attrs, inputs[0], outputs[0])
        options, fields = self._options(op, inputs)
        kind = "RESHAPE" if options == "ReshapeOptions" else op.kind
        self.builder.op(kind, inputs, outputs, options, **fields)

    def _both(self, attrs: TopKAttrs, source: int, output: int) -> list[int]:
        """Both outputs of a file's TOPK_V2, of which the graph's op has one."""
        x, shape = self.builder.values[source], self.builder.values[output].shape
        dtype, scale = (x.dtype, x.scale or None) if attrs.positions else ("int32", None)
        other = self.builder.tensor(shape, dtype=dtype, scale=scale, zero_point=x.zero_point, name=f"other/{output}")
        return [other, output] if attrs.positions else [output, other]

    def _moves(self, attrs: ViewAttrs | TablesAttrs, source: int, output: int) -> None:
        """Any op that moves elements is a GATHER from the flat input, whatever it was in the file."""
        value = self.builder.values[source]
        size, zero_point = int(np.prod(value.shape)), value.zero_point
        flat = self.builder.tensor(
            (size,), dtype=value.dtype, scale=value.scale or None, zero_point=zero_point, name=f"flat/{output}"
        )
        self.builder.op("RESHAPE", [source], [flat], "ReshapeOptions", newShape=[size])
        positions = attrs.flat().reshape(self.builder.values[output].shape)
        self.builder.op("GATHER", [flat, self.builder.constant(positions.astype(np.int32))], [output], "GatherOptions")

    def _options(self, op: Op, inputs: list[int]) -> tuple[str, dict[str, object]]:
        """The options of an op; appends to ``inputs`` what the file has as inputs and the graph as attributes."""
        attrs, output = op.attrs, self._graph.tensors[op.outputs[0]]
        match attrs:
            case Conv2DAttrs() | DepthwiseConv2DAttrs():
                kernel = self._graph.tensors[op.inputs[1]].shape[1:3]
                fields = self._window(attrs, inputs, op, kernel, (attrs.dilation_h, attrs.dilation_w))
                fields |= {"dilationHFactor": attrs.dilation_h, "dilationWFactor": attrs.dilation_w}
                if isinstance(attrs, DepthwiseConv2DAttrs):
                    return "DepthwiseConv2DOptions", fields | {"depthMultiplier": attrs.multiplier}
                return "Conv2DOptions", fields
            case PoolAttrs():
                fields = self._window(attrs, inputs, op, (attrs.filter_h, attrs.filter_w), (1, 1))
                return "Pool2DOptions", fields | {"filterHeight": attrs.filter_h, "filterWidth": attrs.filter_w}
            case FullyConnectedAttrs():
                activation = _CODES[attrs.activation]
                fields = {"keepNumDims": attrs.keep_num_dims, "fusedActivationFunction": activation}
                return "FullyConnectedOptions", fields
            case BinaryAttrs():
                return f"{op.kind.capitalize()}Options", {"fusedActivationFunction": _CODES[attrs.activation]}
            case ConcatenationAttrs():
                if op.kind == "PACK":
                    return "PackOptions", {"axis": attrs.axis, "valuesCount": len(inputs)}
                return "ConcatenationOptions", {"axis": attrs.axis}
            case GatherAttrs():
                return "GatherOptions", {"axis": attrs.axis}
            case ArgAttrs():
                inputs.append(self.builder.constant(np.array(attrs.axis, np.int32)))
                kind = {DType.INT32: schema.TensorType.INT32, DType.INT64: schema.TensorType.INT64}[output.dtype]
                return ("ArgMaxOptions" if op.kind == "ARG_MAX" else "ArgMinOptions"), {"outputType": kind}
            case TopKAttrs():
                inputs.append(self.builder.constant(np.array(output.shape[-1], np.int32)))
                return "TopKV2Options", {}
            case SoftmaxAttrs():
                return "SoftmaxOptions", {"beta": attrs.beta}
            case LeakyReluAttrs():
                return "LeakyReluOptions", {"alpha": attrs.alpha}
            case ReduceAttrs():
                inputs.append(self.builder.constant(np.array(attrs.axes, np.int32)))
                return "ReducerOptions", {"keepDims": attrs.keep_dims}
            case PadAttrs():
                inputs.append(self.builder.constant(np.array(attrs.paddings, np.int32)))
                if op.kind == "PADV2":
                    value = np.array([attrs.value], np.int8)
                    constant = self.builder.constant(value, scale=output.scale, zero_point=output.zero_point)
                    inputs.append(constant)
                return ("PadV2Options" if op.kind == "PADV2" else "PadOptions"), {}
            case BatchMatMulAttrs():
                return "BatchMatMulOptions", {"adjX": attrs.adj_x, "adjY": attrs.adj_y}
            case GeluAttrs():
                return "GeluOptions", {"approximate": attrs.approximate}
            case ResizeBilinearAttrs():
                inputs.append(self.builder.constant(np.array(output.shape[1:3], np.int32)))
                fields = {"alignCorners": attrs.align_corners, "halfPixelCenters": attrs.half_pixel_centers}
                return "ResizeBilinearOptions", fields
            case TransposeConvAttrs():
                inputs[:2] = [self.builder.constant(np.array(output.shape, np.int32)), inputs[1], inputs[0]]
                spread = self._graph.tensors[op.inputs[0]].shape[1] * attrs.stride_h
                padding = "SAME" if 0 <= spread - output.shape[1] < attrs.stride_h else "VALID"
                fields = {"padding": padding, "fusedActivationFunction": _CODES[attrs.activation]}
                return "TransposeConvOptions", fields | {"strideH": attrs.stride_h, "strideW": attrs.stride_w}
        if op.kind in _PLAIN_OPTIONS:
            return _PLAIN_OPTIONS[op.kind], {}
        if op.kind in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"):
            # All three are a RESHAPE to the output's shape.
            return "ReshapeOptions", {"newShape": list(output.shape)}
        return ("QuantizeOptions" if op.kind == "QUANTIZE" else ""), {}

    def _window(
        self,
        attrs: Conv2DAttrs | DepthwiseConv2DAttrs | PoolAttrs,
        inputs: list[int],
        op: Op,
        kernel: tuple[int, ...],
        dilation: tuple[int, int],
    ) -> dict[str, object]:
        x = self._graph.tensors[op.inputs[0]]
        same = []
        for size, stride, k, d in zip(x.shape[1:3], (attrs.stride_h, attrs.stride_w), kernel, dilation, strict=True):
            total = max(0, (-(-size // stride) - 1) * stride + (k - 1) * d + 1 - size)
            same += [total // 2, total - total // 2]
        pads = [attrs.pad_top, attrs.pad_bottom, attrs.pad_left, attrs.pad_right]
        padding = "SAME" if pads == same else "VALID"
        if padding == "VALID" and any(pads):
            pairs = [(0, 0), (pads[0], pads[1]), (pads[2], pads[3]), (0, 0)]
            inputs[0] = self.builder.pad(inputs[0], pairs)
        return {
            "padding": padding,
            "strideH": attrs.stride_h,
            "strideW": attrs.stride_w,
            "fusedActivationFunction": _CODES[attrs.activation],
        }
