"""One operator of a ``.tflite`` file while it is parsed, and what the parsers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import Activation, DType, Rounding, Tensor
from tinyml.graph.ops import Attrs
from tinyml.tflite.flatbuffer import damaged

_ACTIVATIONS = {
    schema.ActivationFunctionType.NONE: Activation.NONE,
    schema.ActivationFunctionType.RELU: Activation.RELU,
    schema.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
    schema.ActivationFunctionType.RELU6: Activation.RELU6,
}


@dataclass(frozen=True, slots=True)
class Context:
    """One operator of the file while it is parsed, for one of its outputs: ``outputs[position]``.

    ``taken`` are the inputs that went into the attributes.
    """

    where: str
    operator: Any
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    rounding: Rounding
    position: int = 0
    taken: set[int] = field(default_factory=set)

    @property
    def output(self) -> Tensor:
        """The output that is parsed."""
        return self.outputs[self.position]

    def options(self, name: str) -> Any:
        """The options table ``name`` (``Conv2DOptions``); raises UnsupportedError where the file has no such."""
        table = self.operator.BuiltinOptions()
        if int(self.operator.BuiltinOptionsType()) != getattr(schema.BuiltinOptions, name) or table is None:
            raise damaged(f"{self.where} has no {name}")
        options = getattr(schema, name)()
        options.Init(table.Bytes, table.Pos)
        return options

    def input(self, position: int) -> Tensor:
        """Input ``position``; raises UnsupportedError where the operator has none."""
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            raise damaged(f"{self.where} has no input {position}")
        return tensor

    def activation(self, options: Any) -> Activation:
        """The fused activation."""
        code = int(options.FusedActivationFunction())
        if code not in _ACTIVATIONS:
            raise UnsupportedError(
                f"{self.where} has the fused activation {code}", hint="use none, relu, relu6 or a layer of its own"
            )
        return _ACTIVATIONS[code]

    def constant(self, position: int) -> Tensor:
        """Input ``position``, whose values go into the attributes."""
        self.taken.add(position)
        return self.input(position)

    def integers(self, position: int, what: str) -> tuple[int, ...]:
        """A constant int32 or int64 input as numbers; raises UnsupportedError where it is not constant."""
        tensor = self.constant(position)
        if tensor.data is None or tensor.dtype not in (DType.INT32, DType.INT64) or tensor.elements > 64:
            raise UnsupportedError(
                f"{self.where} computes its {what} at run time", hint="convert with fixed shapes and batch 1"
            )
        return tuple(int(v) for v in tensor.data.reshape(-1))


Parsed = tuple[Attrs, int | tuple[int, ...]]
"""The attributes, and which of the operator's inputs remain inputs: so many of the first, or these in this order."""


def same_or_valid(where: str, padding: int, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after, as ``ComputePaddingWithOffset`` in TFLite's ``kernels/padding.h``."""
    if padding == schema.Padding.VALID:
        return 0, 0
    if padding != schema.Padding.SAME or stride < 1:
        raise damaged(f"{where} has the padding type {padding} and the stride {stride}")
    total = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


def normal_axes(context: Context, axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """``axes`` sorted, each once, none negative; raises UnsupportedError where one is none of ``rank`` dimensions."""
    if any(not -rank <= axis < rank for axis in axes):
        raise damaged(f"{context.where} has the axes {list(axes)} of {rank} dimensions")
    return tuple(sorted({axis % rank for axis in axes}))
