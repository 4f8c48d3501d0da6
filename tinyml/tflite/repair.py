"""A copy of a model that Python's runtimes load, where the file has a slip that TFLM overlooks."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_QUANTIZED_DIMENSION_SLOT = 16
"""The offset of ``quantized_dimension`` in the vtable of ``QuantizationParameters`` (its seventh field)."""


def repair(data: bytes) -> bytes:
    """``data`` with ``quantized_dimension`` set to 0 for per-channel tensors of one dimension.

    Some real models, TFLM's own person_detect among them, have biases with ``quantized_dimension = 3``, which LiteRT
    and tflite-runtime refuse to load. ``data`` must be a file that :func:`tinyml.tflite.read.read_graph` accepted.
    """
    copy = bytearray(data)
    subgraph = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    for index in range(subgraph.TensorsLength()):
        tensor = subgraph.Tensors(index)
        quant = tensor.Quantization()
        if quant is None or tensor.ShapeLength() != 1 or quant.ScaleLength() < 2 or quant.QuantizedDimension() == 0:
            continue
        field = quant._tab.Offset(_QUANTIZED_DIMENSION_SLOT)
        struct.pack_into("<i", copy, quant._tab.Pos + field, 0)
    return bytes(copy)


def with_outputs(data: bytes, outputs: Sequence[int]) -> bytes:
    """``data`` with other tensors as the graph's outputs, for runtimes that overwrite what no one reads any more."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    model.subgraphs[0].outputs = np.asarray(outputs, np.int32)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
