"""Builds small ``.tflite`` files without TensorFlow, with the schema's object API.

    m = Builder(name="example")
    x = m.input((1, 8, 8, 4), scale=0.05, zero_point=-3)
    y = m.conv_2d(x, weights, weight_scales, out_scale=0.1, stride=(2, 2), padding="SAME", activation="RELU")
    data = m.build(outputs=[y])

Tensors are numbers, as in the file. :meth:`Builder.op` adds any operator; the methods named as ops fill in the
options and the output's shape. What a method makes is what the converter would: tests that need a broken file pass
other shapes, types or options to :meth:`Builder.tensor` and :meth:`Builder.op`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

Array = npt.NDArray[Any]
Scales = float | Sequence[float]

_TYPE_NAMES = ("int8", "uint8", "int16", "int32", "int64", "float32", "float16", "bool")
_TYPES = {name: getattr(schema.TensorType, name.upper()) for name in _TYPE_NAMES}


_VERSIONS = {"BROADCAST_TO": 2}


@dataclass(frozen=True, slots=True)
class Value:
    """What the builder remembers of a tensor."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


def _window(padding: str, stride: tuple[int, int], dilation: tuple[int, int] | None, activation: str) -> dict[str, Any]:
    """The options that convolutions and poolings have in common."""
    options: dict[str, Any] = {
        "padding": padding, "strideH": stride[0], "strideW": stride[1], "fusedActivationFunction": activation,
    }  # fmt: skip
    if dilation is not None:
        options |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    return options


class Builder:
    """One model under construction."""

    def __init__(self, name: str = "main") -> None:
        self.values: list[Value] = []
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.description = "tests"
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]
        self._graph = schema.SubGraphT()
        self._graph.name = name
        self._graph.tensors, self._graph.operators = [], []
        self._graph.inputs, self._graph.outputs = [], []
        self._model.subgraphs = [self._graph]

    @property
    def model(self) -> Any:
        """The ``ModelT`` under construction, for tests that spoil it by hand."""
        return self._model

    def tensor(
        self,
        shape: Sequence[int],
        *,
        dtype: str = "int8",
        scale: Scales | None = 0.05,
        zero_point: int | Sequence[int] = 0,
        axis: int = 0,
        data: Array | None = None,
        name: str = "",
    ) -> int:
        """Add a tensor; constant where ``data`` is given. ``scale=None`` leaves it without quantisation."""
        tensor = schema.TensorT()
        tensor.name = name or f"model/t{len(self.values)}/out"
        tensor.shape = [int(size) for size in shape]
        tensor.type = _TYPES[dtype]
        tensor.hasRank = True
        tensor.buffer = 0
        scales = [] if scale is None else [float(s) for s in np.atleast_1d(scale)]
        if scales:
            quant = schema.QuantizationParametersT()
            quant.scale = scales
            quant.zeroPoint = [int(z) for z in np.broadcast_to(zero_point, len(scales))]
            quant.quantizedDimension = axis
            tensor.quantization = quant
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        first_zero_point = int(np.atleast_1d(zero_point)[0])
        self.values.append(Value(tuple(tensor.shape), dtype, scales[0] if scales else 0.0, first_zero_point))
        return len(self.values) - 1

    def input(
        self, shape: Sequence[int], *, scale: float | None = 0.05, zero_point: int = 0, dtype: str = "int8"
    ) -> int:
        """Add an input of the graph."""
        index = self.tensor(
            shape, dtype=dtype, scale=scale, zero_point=zero_point, name=f"input_{len(self._graph.inputs)}"
        )
        self._graph.inputs.append(index)
        return index

    def constant(
        self, data: Array, *, scale: Scales | None = None, zero_point: int | Sequence[int] = 0, axis: int = 0
    ) -> int:
        """Add a constant of the array's own type and shape."""
        array = np.asarray(data)
        return self.tensor(
            array.shape, dtype=array.dtype.name, scale=scale, zero_point=zero_point, axis=axis, data=array
        )

    def op(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: str = "", **fields: Any) -> int:
        """Add an operator with the options table named ``options`` and its fields; returns its first output.

        ``kind`` is a builtin name or ``CUSTOM:name``. Activations and paddings may be given by name. The version is the
        lowest that the runtime has for int8.
        """
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(kind)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.builtinOptionsType = schema.BuiltinOptions.NONE
        if options:
            table = getattr(schema, f"{options}T")()
            for name, value in fields.items():
                if name == "fusedActivationFunction" and isinstance(value, str):
                    value = getattr(schema.ActivationFunctionType, value)
                if name == "padding" and isinstance(value, str):
                    value = getattr(schema.Padding, value)
                setattr(table, name, value)
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = table
        self._graph.operators.append(operator)
        return outputs[0]

    def build(self, outputs: Sequence[int]) -> bytes:
        """The file's bytes."""
        self._graph.outputs = list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def conv_2d(
        self,
        x: int,
        weights: Array,
        weight_scale: Scales = 0.01,
        bias: Array | None = None,
        *,
        scale: float = 0.1,
        zero_point: int = 0,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
    ) -> int:
        """CONV_2D: ``weights`` int8 [O, KH, KW, C / groups], ``bias`` int32 [O]."""
        output = self._convolved(x, weights.shape[1:3], weights.shape[0], scale, zero_point, stride, dilation, padding)
        inputs = self._weighted(x, weights, weight_scale, bias, 0)
        return self.op("CONV_2D", inputs, [output], "Conv2DOptions", **_window(padding, stride, dilation, activation))

    def depthwise_conv_2d(
        self,
        x: int,
        weights: Array,
        weight_scale: Scales = 0.01,
        bias: Array | None = None,
        *,
        scale: float = 0.1,
        zero_point: int = 0,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
    ) -> int:
        """DEPTHWISE_CONV_2D: ``weights`` int8 [1, KH, KW, C * multiplier], ``bias`` int32 [C * multiplier]."""
        channels = weights.shape[3]
        output = self._convolved(x, weights.shape[1:3], channels, scale, zero_point, stride, dilation, padding)
        inputs = self._weighted(x, weights, weight_scale, bias, 3)
        options = _window(padding, stride, dilation, activation)
        options["depthMultiplier"] = channels // self.values[x].shape[3]
        return self.op("DEPTHWISE_CONV_2D", inputs, [output], "DepthwiseConv2DOptions", **options)

    def fully_connected(
        self,
        x: int,
        weights: Array,
        weight_scale: Scales = 0.01,
        bias: Array | None = None,
        *,
        scale: float = 0.1,
        zero_point: int = 0,
        keep_num_dims: bool = False,
        activation: str = "NONE",
    ) -> int:
        """FULLY_CONNECTED: ``weights`` int8 [O, I], ``bias`` int32 [O]."""
        source = self.values[x]
        batch = source.shape[:-1] if keep_num_dims else (math.prod(source.shape) // weights.shape[1],)
        output = self.tensor((*batch, weights.shape[0]), scale=scale, zero_point=zero_point)
        return self.op(
            "FULLY_CONNECTED",
            self._weighted(x, weights, weight_scale, bias, 0),
            [output],
            "FullyConnectedOptions",
            keepNumDims=keep_num_dims,
            fusedActivationFunction=activation,
        )

    def binary(
        self, kind: str, a: int, b: int, *, scale: float = 0.1, zero_point: int = 0, activation: str = "NONE"
    ) -> int:
        """ADD, SUB or MUL, broadcast."""
        shape = np.broadcast_shapes(self.values[a].shape, self.values[b].shape)
        output = self.tensor(shape, scale=scale, zero_point=zero_point)
        options = f"{kind.capitalize()}Options"
        return self.op(kind, [a, b], [output], options, fusedActivationFunction=activation)

    def pool_2d(
        self,
        kind: str,
        x: int,
        *,
        size: tuple[int, int] = (2, 2),
        stride: tuple[int, int] = (2, 2),
        padding: str = "VALID",
        activation: str = "NONE",
    ) -> int:
        """AVERAGE_POOL_2D or MAX_POOL_2D."""
        source = self.values[x]
        output = self._convolved(x, size, source.shape[3], source.scale, source.zero_point, stride, (1, 1), padding)
        options = _window(padding, stride, None, activation) | {"filterHeight": size[0], "filterWidth": size[1]}
        return self.op(kind, [x], [output], "Pool2DOptions", **options)

    def pad(self, x: int, paddings: Sequence[tuple[int, int]], value: int | None = None) -> int:
        """PAD, or PADV2 where a value is given."""
        source = self.values[x]
        shape = [n + before + after for n, (before, after) in zip(source.shape, paddings, strict=True)]
        output = self.tensor(shape, scale=source.scale, zero_point=source.zero_point)
        inputs = [x, self.constant(np.array(paddings, np.int32))]
        if value is None:
            return self.op("PAD", inputs, [output], "PadOptions")
        inputs.append(self.constant(np.array([value], np.int8), scale=source.scale, zero_point=source.zero_point))
        return self.op("PADV2", inputs, [output], "PadV2Options")

    def reduce(
        self,
        kind: str,
        x: int,
        axes: Sequence[int],
        *,
        keep_dims: bool = False,
        scale: float = 0.1,
        zero_point: int = 0,
    ) -> int:
        """MEAN or SUM."""
        shape = self.values[x].shape
        positive = {axis % len(shape) for axis in axes}
        kept = [1 if d in positive else n for d, n in enumerate(shape) if keep_dims or d not in positive]
        output = self.tensor(kept, scale=scale, zero_point=zero_point)
        inputs = [x, self.constant(np.array(axes, np.int32))]
        return self.op(kind, inputs, [output], "ReducerOptions", keepDims=keep_dims)

    def reshape(self, x: int, shape: Sequence[int]) -> int:
        """RESHAPE to ``shape``."""
        source = self.values[x]
        output = self.tensor(shape, dtype=source.dtype, scale=source.scale or None, zero_point=source.zero_point)
        inputs = [x, self.constant(np.array(shape, np.int32))]
        return self.op("RESHAPE", inputs, [output], "ReshapeOptions", newShape=list(shape))

    def squeeze(self, x: int, axes: Sequence[int]) -> int:
        """SQUEEZE of ``axes``."""
        source = self.values[x]
        kept = [n for d, n in enumerate(source.shape) if d not in axes]
        output = self.tensor(kept, scale=source.scale, zero_point=source.zero_point)
        return self.op("SQUEEZE", [x], [output], "SqueezeOptions", squeezeDims=list(axes))

    def expand_dims(self, x: int, axis: int) -> int:
        """EXPAND_DIMS at ``axis``."""
        source = self.values[x]
        shape = (*source.shape[:axis], 1, *source.shape[axis:])
        output = self.tensor(shape, scale=source.scale, zero_point=source.zero_point)
        return self.op("EXPAND_DIMS", [x, self.constant(np.array([axis], np.int32))], [output], "ExpandDimsOptions")

    def concatenation(self, parts: Sequence[int], axis: int) -> int:
        """CONCATENATION of parts that have the first's quantisation."""
        first = self.values[parts[0]]
        shape = list(first.shape)
        shape[axis] = sum(self.values[part].shape[axis] for part in parts)
        output = self.tensor(shape, scale=first.scale, zero_point=first.zero_point)
        return self.op("CONCATENATION", parts, [output], "ConcatenationOptions", axis=axis)

    def elementwise(self, kind: str, x: int, *, scale: float = 0.1, zero_point: int = 0) -> int:
        """RELU, RELU6, RELU_N1_TO_1, HARD_SWISH, or QUANTIZE from int8 to int8."""
        output = self.tensor(self.values[x].shape, scale=scale, zero_point=zero_point)
        return self.op(kind, [x], [output])

    def logistic(self, x: int) -> int:
        """LOGISTIC, with the output quantisation that TFLite asks for."""
        return self.op("LOGISTIC", [x], [self.tensor(self.values[x].shape, scale=1 / 256, zero_point=-128)])

    def tanh(self, x: int) -> int:
        """TANH, with the output quantisation that TFLite asks for."""
        return self.op("TANH", [x], [self.tensor(self.values[x].shape, scale=1 / 128)])

    def softmax(self, x: int, beta: float = 1.0) -> int:
        """SOFTMAX, with the output quantisation that TFLite asks for."""
        output = self.tensor(self.values[x].shape, scale=1 / 256, zero_point=-128)
        return self.op("SOFTMAX", [x], [output], "SoftmaxOptions", beta=beta)

    def leaky_relu(self, x: int, alpha: float, *, scale: float = 0.1, zero_point: int = 0) -> int:
        """LEAKY_RELU."""
        output = self.tensor(self.values[x].shape, scale=scale, zero_point=zero_point)
        return self.op("LEAKY_RELU", [x], [output], "LeakyReluOptions", alpha=alpha)

    def quantize(self, x: int, *, scale: float = 0.1, zero_point: int = 0) -> int:
        """QUANTIZE to int8, of floats or of int8."""
        output = self.tensor(self.values[x].shape, scale=scale, zero_point=zero_point)
        return self.op("QUANTIZE", [x], [output], "QuantizeOptions")

    def dequantize(self, x: int) -> int:
        """DEQUANTIZE to float32."""
        output = self.tensor(self.values[x].shape, dtype="float32", scale=None)
        return self.op("DEQUANTIZE", [x], [output], "DequantizeOptions")

    def _code(self, kind: str) -> int:
        for index, code in enumerate(self._model.operatorCodes):
            if code.kind == kind:
                return index
        code = schema.OperatorCodeT()
        builtin, _, custom = kind.partition(":")
        code.kind = kind
        code.builtinCode = getattr(schema.BuiltinOperator, builtin)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom or None
        code.version = _VERSIONS.get(builtin, 1)
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def _weighted(self, x: int, weights: Array, scale: Scales, bias: Array | None, axis: int) -> list[int]:
        inputs = [x, self.constant(weights.astype(np.int8), scale=scale, axis=axis)]
        if bias is not None:
            scales = np.float32(self.values[x].scale) * np.atleast_1d(np.asarray(scale, np.float32))
            inputs.append(self.constant(bias.astype(np.int32), scale=scales.tolist()))
        return inputs

    def _convolved(
        self,
        x: int,
        kernel: Sequence[int],
        channels: int,
        scale: float,
        zero_point: int,
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: str,
    ) -> int:
        sizes = []
        for d in (0, 1):
            span = (kernel[d] - 1) * dilation[d] + 1
            free = self.values[x].shape[1 + d] + (stride[d] - 1 if padding == "SAME" else stride[d] - span)
            sizes.append(free // stride[d])
        return self.tensor((1, *sizes, channels), scale=scale, zero_point=zero_point)
