"""Copies of a model that Python's runtimes load, where the file has something that only they refuse.

``data`` is always a file that :func:`tinyml.tflite.read.read_graph` accepted. Tensors keep their index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyml.graph.ir import Graph, Op
from tinyml.tflite.flatbuffer import DAMAGE, damaged
from tinyml.tflite.wide_softmax import without_softmaxes

_NO_TENSOR = -1
_CONV_2D = schema.BuiltinOperator.CONV_2D
_DEPTH_TO_SPACE = schema.BuiltinOperator.DEPTH_TO_SPACE


def repair(data: bytes) -> bytes:
    """``data`` with the same meaning in a form that LiteRT and tflite-runtime load; mostly ``data`` itself.

    Some real models, TFLM's own person_detect among them, have biases with ``quantized_dimension = 3``, which both
    refuse though there is only one dimension. LiteRT also refuses a CONV_2D without bias: it gets one of zeros.
    The reference kernel of SUM takes int8 for uint8 (LiteRT issue 4079; its default kernels and TFLite Micro's do
    not): its operands are shifted to uint8 and back, which gives what the kernel is meant to. Its DEPTH_TO_SPACE knows
    int8, but is registered as version 1 alone, while the converter asks for version 2 with int8.
    Raises UnsupportedError where parts of the file that the reader has no use for are damaged.
    """
    model = schema.Model.GetRootAs(data, 0)
    subgraph = model.Subgraphs(0)
    tensors = [subgraph.Tensors(i) for i in range(subgraph.TensorsLength())]
    operators = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
    try:
        axes = any(t.ShapeLength() == 1 and t.Quantization() and t.Quantization().QuantizedDimension() for t in tensors)
        biases = any(_kind(model.OperatorCodes(o.OpcodeIndex())) == _CONV_2D and _lacks_bias(o) for o in operators)
        sums = any(_kind(model.OperatorCodes(o.OpcodeIndex())) == schema.BuiltinOperator.SUM for o in operators)
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        versions = any(_kind(code) == _DEPTH_TO_SPACE and code.Version() > 1 for code in codes)
        changes = (_clear_axes, _add_biases, _sum_in_uint8, _lower_versions)
        return _repacked(data, changes) if axes or biases or sums or versions else data
    except DAMAGE as error:
        raise damaged(f"an offset or a length in it points outside ({type(error).__name__})") from error


def without_wide_softmax(data: bytes, graph: Graph, wide: list[Op]) -> bytes:
    """``data`` up to the ops ``wide``, some of :func:`~tinyml.tflite.wide_softmax.in_turn`, their inputs as outputs."""
    return _repacked(data, (lambda model: without_softmaxes(model, graph, wide),))


def with_outputs(data: bytes, outputs: Sequence[int]) -> bytes:
    """``data`` with other tensors as the graph's outputs, for runtimes that overwrite what no one reads any more."""

    def change(model: Any) -> None:
        model.subgraphs[0].outputs = np.asarray(outputs, np.int32)

    try:
        return _repacked(data, (change,))
    except DAMAGE as error:
        raise damaged(f"an offset or a length in it points outside ({type(error).__name__})") from error


def _kind(code: Any) -> int:
    return int(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))


def _lacks_bias(operator: Any) -> bool:
    return bool(operator.InputsLength() < 3 or operator.Inputs(2) == _NO_TENSOR)


def _clear_axes(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization is not None and tensor.shape is not None and len(tensor.shape) == 1:
            tensor.quantization.quantizedDimension = 0


def _lower_versions(model: Any) -> None:
    for code in model.operatorCodes:
        if max(code.builtinCode, code.deprecatedBuiltinCode) == _DEPTH_TO_SPACE:
            code.version = 1


def _add_biases(model: Any) -> None:
    tensors = model.subgraphs[0].tensors
    for operator in model.subgraphs[0].operators:
        code, inputs = model.operatorCodes[operator.opcodeIndex], list(operator.inputs)
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind != _CONV_2D or (len(inputs) > 2 and inputs[2] != _NO_TENSOR):
            continue
        channels = int(tensors[inputs[1]].shape[0])
        buffer, tensor = schema.BufferT(), schema.TensorT()
        buffer.data = np.zeros(4 * channels, np.uint8)
        tensor.name, tensor.shape, tensor.type = "zero_bias", [channels], schema.TensorType.INT32
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
        operator.inputs = [*inputs[:2], len(tensors)]
        tensors.append(tensor)


def _sum_in_uint8(model: Any) -> None:
    graph = model.subgraphs[0]
    operators: list[Any] = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.SUM:
            operators.append(operator)
            continue
        source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        if source.type != schema.TensorType.INT8:
            operators.append(operator)
            continue
        shifted_source, shifted_target = _as_uint8(graph, source), _as_uint8(graph, target)
        operators.append(_requantisation(model, int(operator.inputs[0]), shifted_source))
        operators.append(operator)
        operators.append(_requantisation(model, shifted_target, int(operator.outputs[0])))
        operator.inputs = [shifted_source, *list(operator.inputs)[1:]]
        operator.outputs = [shifted_target]
    graph.operators = operators


def _as_uint8(graph: Any, tensor: Any) -> int:
    """A new tensor whose real values are those of int8 ``tensor``: 128 is added to value and zero point."""
    copy, quant = schema.TensorT(), schema.QuantizationParametersT()
    quant.scale = list(tensor.quantization.scale)
    quant.zeroPoint = [int(zero_point) + 128 for zero_point in tensor.quantization.zeroPoint]
    copy.name, copy.shape, copy.type = "as_uint8", tensor.shape, schema.TensorType.UINT8
    copy.buffer, copy.quantization = 0, quant
    graph.tensors.append(copy)
    return len(graph.tensors) - 1


def _requantisation(model: Any, source: int, target: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [source], [target]
    operator.builtinOptionsType = schema.BuiltinOptions.NONE
    return operator


def _repacked(data: bytes, changes: Sequence[Callable[[Any], None]]) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for change in changes:
        change(model)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
