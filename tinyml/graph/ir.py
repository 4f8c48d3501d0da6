"""The graph: an immutable picture of a quantised network, between the ``.tflite`` file and the lowered program.

A :class:`Graph` is a tuple of :class:`Tensor` and a tuple of :class:`Op` in execution order. Ops name tensors by
index. Nothing here is ever changed in place: a pass takes a graph and returns another one. What an op may hold and
what its attributes mean is written in :mod:`tinyml.graph.ops`, one file an op.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tinyml.graph.ops.base import Attrs

ABSENT = -1
"""The tensor index of an optional input that is not there (TFLite writes -1, too)."""


class DType(enum.Enum):
    """Element types of tensors, by their NumPy names; UINT16 and UINT32 only occur in what lowering adds."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype of one element."""
        return np.dtype(self.value)

    @property
    def size_bytes(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize


class Activation(enum.Enum):
    """The activation fused into an op, in the order of TFLite's ``ActivationFunctionType``."""

    NONE = "none"
    RELU = "relu"
    RELU_N1_TO_1 = "relu_n1_to_1"
    RELU6 = "relu6"


class Rounding(enum.Enum):
    """How an accumulator becomes an int8 output.

    ``DOUBLE`` is gemmlowp's saturating rounding doubling high multiply followed by a rounding shift; ``SINGLE`` is
    LiteRT 2.x's one rounding, ``(acc * m + 2**(s - 1)) >> s``, which it uses for FULLY_CONNECTED.
    """

    DOUBLE = "double"
    SINGLE = "single"


MAX_SCALE = 2.0**64
"""The largest scale that a graph may hold: beyond any network's, and far from where float32 products overflow."""


@dataclass(frozen=True, slots=True)
class Quant:
    """Affine quantisation: ``real = scale * (q - zero_point)``, per tensor or per slice along ``axis``.

    ``scales`` are the file's float32 values, exactly, as Python floats.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def scale(self) -> float:
        """The scale of a tensor that has a single one."""
        if len(self.scales) != 1:
            raise ValueError("quantised per channel: there is no single scale")
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that has a single one."""
        if len(self.zero_points) != 1:
            raise ValueError("quantised per channel: there is no single zero point")
        return self.zero_points[0]

    @property
    def per_channel(self) -> bool:
        """Whether every slice along ``axis`` has a scale of its own."""
        return len(self.scales) > 1


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor: an activation when ``data`` is None, otherwise a constant whose array is read-only."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quant: Quant | None = None
    data: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.data is not None:
            self.data.setflags(write=False)

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the dense array."""
        return self.elements * self.dtype.size_bytes

    @property
    def is_constant(self) -> bool:
        """Whether the values are known at compile time."""
        return self.data is not None

    @property
    def scale(self) -> float:
        """The per-tensor scale; raises ValueError where there is none."""
        if self.quant is None:
            raise ValueError(f"tensor {self.name!r} is not quantised")
        return self.quant.scale

    @property
    def zero_point(self) -> int:
        """The per-tensor zero point; raises ValueError where there is none."""
        if self.quant is None:
            raise ValueError(f"tensor {self.name!r} is not quantised")
        return self.quant.zero_point


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation: ``kind`` is TFLite's builtin name (``CONV_2D``), ``attrs`` that op's frozen dataclass.

    ``name`` is the layer's name for people (from the output tensor), unique in the graph. ``source_index`` is the
    operator's index in the ``.tflite`` file, for traces and error messages; passes keep it where an op survives.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attrs: Attrs
    source_index: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network: tensors, ops in execution order, and which tensors are its inputs and outputs.

    ``source_tensors[i]`` is the index in the ``.tflite`` file of tensor ``i`` (-1 where a pass made it): the trace
    compares these with LiteRT's. ``source_channels[i]`` are the channels (last dimension) of that tensor of the file
    which tensor ``i`` still holds, None for all; empty where no pass removed channels. ``labels`` are the class names,
    empty where the file has none.
    """

    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    source_tensors: tuple[int, ...] = ()
    source_channels: tuple[tuple[int, ...] | None, ...] = ()
    labels: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = field(default=())

    def tensor(self, index: int) -> Tensor:
        """Tensor ``index``; raises IndexError for :data:`ABSENT`."""
        if index < 0:
            raise IndexError("the optional tensor is absent")
        return self.tensors[index]

    def of_source(self, index: int, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What tensor ``index`` must hold, given the ``values`` [..., channels] of the file's tensor that it is of."""
        channels = self.source_channels[index] if self.source_channels else None
        return values if channels is None else np.take(values, channels, axis=-1)

    def producers(self) -> dict[int, int]:
        """Map each tensor that an op writes to that op's index."""
        return {t: i for i, op in enumerate(self.ops) for t in op.outputs}

    def consumers(self) -> dict[int, list[int]]:
        """Map each tensor to the indices of the ops that read it, in execution order."""
        readers: dict[int, list[int]] = {}
        for i, op in enumerate(self.ops):
            for t in dict.fromkeys(op.inputs):
                if t != ABSENT:
                    readers.setdefault(t, []).append(i)
        return readers

    def activations(self) -> Iterator[int]:
        """Indices of the tensors that hold run-time values: graph inputs and op outputs, each once."""
        yield from dict.fromkeys((*self.inputs, *(t for op in self.ops for t in op.outputs)))

    def with_ops(self, ops: Iterable[Op]) -> Graph:
        """The same graph with other ops."""
        return replace(self, ops=tuple(ops))
