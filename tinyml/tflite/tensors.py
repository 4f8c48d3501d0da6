"""Tensors of a ``.tflite`` file: shapes, element types, quantisation, constants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import MAX_SCALE, DType, Quant, Tensor
from tinyml.tflite.flatbuffer import MAX_CONSTANT_BYTES, MAX_RANK, Budget, damaged, numbers, text

_TYPE_NAMES: dict[int, str] = {v: k for k, v in vars(schema.TensorType).items() if not k.startswith("_")}

_DTYPES: dict[int, DType] = {
    schema.TensorType.INT8: DType.INT8,
    schema.TensorType.UINT8: DType.UINT8,
    schema.TensorType.INT16: DType.INT16,
    schema.TensorType.INT32: DType.INT32,
    schema.TensorType.INT64: DType.INT64,
    schema.TensorType.FLOAT32: DType.FLOAT32,
    schema.TensorType.BOOL: DType.BOOL,
}

_ZERO_POINT_RANGE = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


class TensorReader:
    """Reads tensors of one subgraph by their index in the file."""

    def __init__(self, buffers: list[Any], tables: list[Any], budget: Budget) -> None:
        self._buffers = buffers
        self._tables = tables
        self._budget = budget
        self._constant_bytes = 0

    def __len__(self) -> int:
        return len(self._tables)

    def read(self, index: int, *, state: bool = False) -> Tensor:
        """Tensor ``index``, which may be a variable where it is the ``state`` of an op.

        Raises UnsupportedError where the compiler cannot take it or the file is damaged.
        """
        table = self._tables[index]
        name = text(table.Name()) or f"tensor_{index}"
        where = f"tensor {index} ({name[:80]!r})"
        code = int(table.Type())
        if code not in _DTYPES:
            raise UnsupportedError(
                f"{where} has the element type {_TYPE_NAMES.get(code, code)}",
                hint="convert the model to full-integer int8: tinyml quantize",
            )
        dtype = _DTYPES[code]
        if table.Sparsity() is not None:
            raise UnsupportedError(f"{where} is stored sparse", hint="export the model with dense weights")
        if table.IsVariable() and not state:
            raise UnsupportedError(
                f"{where} is a variable: models that keep state are not supported", hint="make the state an input"
            )
        if table.ExternalBuffer():
            raise UnsupportedError(f"{where} lies outside the file", hint="export the model as one .tflite file")
        shape = self._shape(table, where)
        quant = self._quant(table, shape, dtype, where)
        return Tensor(name, shape, dtype, quant, self._data(table, shape, dtype, where))

    def _shape(self, table: Any, where: str) -> tuple[int, ...]:
        shape = tuple(numbers(table, "Shape", self._budget, np.int32, f"{where}'s shape").tolist())
        signature = tuple(numbers(table, "ShapeSignature", self._budget, np.int32, f"{where}'s shape").tolist())
        if len(shape) > MAX_RANK:
            raise UnsupportedError(
                f"{where} has {len(shape)} dimensions, the limit is {MAX_RANK}", hint="merge dimensions"
            )
        dynamic = [d for d, size in enumerate(signature) if size < 0 and (d > 0 or shape[:1] != (1,))]
        if dynamic or any(size < 1 for size in shape):
            raise UnsupportedError(
                f"{where} has the dynamic or empty shape {list(signature if dynamic else shape)}",
                hint="convert with a fixed input shape and batch 1, e.g. keras.Input(batch_shape=(1, ...))",
            )
        if math.prod(shape) * 8 >= 1 << 31:
            raise UnsupportedError(
                f"{where} has {math.prod(shape)} elements", hint="no microcontroller holds it: use a smaller model"
            )
        return shape

    def _quant(self, table: Any, shape: tuple[int, ...], dtype: DType, where: str) -> Quant | None:
        quant = table.Quantization()
        if quant is None:
            return None
        if quant.DetailsType() != schema.QuantizationDetails.NONE:
            raise UnsupportedError(
                f"{where} has a quantisation scheme of its own", hint="convert to per-channel or per-tensor int8"
            )
        scales = numbers(quant, "Scale", self._budget, np.float32, f"{where}'s scales")
        if scales.size == 0:
            return None
        zero_points = numbers(quant, "ZeroPoint", self._budget, np.int64, f"{where}'s zero points")
        if zero_points.size != scales.size:
            raise damaged(f"{where} has {scales.size} scales and {zero_points.size} zero points")
        axis = 0 if len(shape) <= 1 else int(quant.QuantizedDimension())
        if not 0 <= axis < max(len(shape), 1) or (scales.size > 1 and scales.size != shape[axis]):
            raise damaged(f"{where} has {scales.size} scales along dimension {axis} of the shape {list(shape)}")
        if not bool(np.all((scales > 0) & (scales <= MAX_SCALE))):
            raise damaged(f"{where} has a scale that is not a positive number up to 2^64")
        low, high = _ZERO_POINT_RANGE.get(dtype, (0, 0))
        if bool(np.any(zero_points < low) or np.any(zero_points > high)):
            raise damaged(f"{where} has a zero point outside {low} to {high} for {dtype.value}")
        return Quant(tuple(scales.tolist()), tuple(zero_points.tolist()), axis)

    def _data(self, table: Any, shape: tuple[int, ...], dtype: DType, where: str) -> npt.NDArray[Any] | None:
        index = int(table.Buffer())
        if index == 0:
            return None
        if not 0 <= index < len(self._buffers):
            raise damaged(f"{where} names buffer {index} of {len(self._buffers)}")
        buffer = self._buffers[index]
        if int(buffer.Offset()) > 1 or int(buffer.Size()) > 1:
            raise UnsupportedError(
                f"{where} lies beyond the flatbuffer, as in files over 2 GB", hint="export an ordinary .tflite file"
            )
        length = int(buffer.DataLength())
        if length == 0:
            return None
        wanted = math.prod(shape) * dtype.size_bytes
        if length != wanted:
            raise damaged(f"{where} needs {wanted} bytes for its shape {list(shape)}, its buffer has {length}")
        self._constant_bytes += length
        if self._constant_bytes > MAX_CONSTANT_BYTES:
            raise UnsupportedError(
                f"the constants are more than {MAX_CONSTANT_BYTES >> 20} MiB", hint="use a smaller model"
            )
        raw = np.asarray(buffer.DataAsNumpy(), np.uint8)
        return np.frombuffer(raw.tobytes(), dtype.numpy.newbyteorder("<")).astype(dtype.numpy).reshape(shape)
