"""The kind of layer that a step is, for people who compare what kernels cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinyml.graph.ir import Op
from tinyml.lower.program import Program, Step

WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
KINDS_BY_OP = {
    "FULLY_CONNECTED": "fully connected",
    "ADD": "add",
    "AVERAGE_POOL_2D": "pooling",
    "MAX_POOL_2D": "pooling",
    "MEAN": "pooling",
    "SOFTMAX": "softmax",
}


def layer_kinds(program: Program) -> Iterator[tuple[Step, str]]:
    """Every step of ``program`` with its kind of layer, in order.

    A convolution is ``first layer`` where no other weights come before it, ``1×1`` or ``k×k``; ``depthwise 3×3,
    stride 1`` names its kernel (height by width) and its larger stride. A 1×1 convolution of a single pixel is a fully
    connected layer. Other ops have a kind in :data:`KINDS_BY_OP`, or are their own name in lower case.
    """
    weights_before = False
    for step in program.steps:
        op = next((program.graph.ops[i] for i in step.op_indices if program.graph.ops[i].kind == step.kind), None)
        yield step, _kind(program, step, op, first=not weights_before)
        weights_before = weights_before or step.kind in WEIGHTED


def elements(program: Program, step: Step) -> int:
    """Elements of the step's first input, or of its first output where it reads constants only."""
    return program.graph.tensors[(step.inputs or step.outputs)[0]].elements


def _kind(program: Program, step: Step, op: Op | None, *, first: bool) -> str:
    if op is None or op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return KINDS_BY_OP.get(step.kind, step.kind.lower().replace("_", " "))
    height, width = program.graph.tensors[op.inputs[1]].shape[1:3]
    if op.kind == "DEPTHWISE_CONV_2D":
        attrs: Any = op.attrs
        return f"depthwise {height}×{width}, stride {max(attrs.stride_h, attrs.stride_w)}"
    if (height, width) == (1, 1) and program.graph.tensors[op.outputs[0]].shape[1:3] == (1, 1):
        return KINDS_BY_OP["FULLY_CONNECTED"]
    if first:
        return "first layer"
    return "1×1" if (height, width) == (1, 1) else "k×k"
