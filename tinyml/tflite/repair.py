"""Copies of a model that Python's runtimes load, where the file has something that only they refuse.

``data`` is always a file that :func:`tinyml.tflite.read.read_graph` accepted. Tensors keep their index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_NO_TENSOR = -1


def repair(data: bytes) -> bytes:
    """``data`` with the same meaning in a form that LiteRT and tflite-runtime load; mostly ``data`` itself.

    Some real models, TFLM's own person_detect among them, have biases with ``quantized_dimension = 3``, which both
    refuse though there is only one dimension. LiteRT also refuses a CONV_2D without bias: it gets one of zeros.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    graph = model.subgraphs[0]
    repaired = [_one_dimension(tensor) for tensor in graph.tensors]
    convolution = schema.BuiltinOperator.CONV_2D
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) == convolution:
            repaired.append(_zero_bias(model, operator))
    return _packed(model, len(data)) if any(repaired) else data


def with_outputs(data: bytes, outputs: Sequence[int]) -> bytes:
    """``data`` with other tensors as the graph's outputs, for runtimes that overwrite what no one reads any more."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    model.subgraphs[0].outputs = np.asarray(outputs, np.int32)
    return _packed(model, len(data))


def _one_dimension(tensor: Any) -> bool:
    quant = tensor.quantization
    if quant is None or tensor.shape is None or len(tensor.shape) != 1 or not quant.quantizedDimension:
        return False
    quant.quantizedDimension = 0
    return True


def _zero_bias(model: Any, operator: Any) -> bool:
    inputs = list(operator.inputs)
    if len(inputs) > 2 and inputs[2] != _NO_TENSOR:
        return False
    tensors = model.subgraphs[0].tensors
    channels = int(tensors[inputs[1]].shape[0])
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.zeros(4 * channels, np.uint8)
    tensor.name, tensor.shape, tensor.type = "zero_bias", [channels], schema.TensorType.INT32
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    operator.inputs = [*inputs[:2], len(tensors)]
    tensors.append(tensor)
    return True


def _packed(model: Any, size: int) -> bytes:
    builder = flatbuffers.Builder(size)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
