"""What the files of this package share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import ABSENT, Graph, Op, Tensor
from tinyml.graph.ops import SPECS
from tinyml.lower.program import Arg, Const, Int, Step, Target
from tinyml.lower.verdict import Verdict

Condition = Callable[[Graph, Op, Target], Verdict]
"""Whether a kernel may run an op; its docstring's first paragraph is its row's in ``docs/kernels.md``."""

Build = Callable[[Graph, Op, Target], Step]


def constant(graph: Graph, op: Op, index: int) -> npt.NDArray[Any]:
    """The array of the op's ``index``-th input, in its own shape and type.

    Raises UnsupportedError where it is computed at run time.
    """
    tensor = graph.tensor(op.inputs[index])
    if tensor.data is None:
        raise UnsupportedError(
            f"{op.kind} ({op.name}): input {index} ({tensor.name}) is computed at run time",
            hint="weights, biases and paddings have to be constants of the file",
        )
    return tensor.data


def optional_bias(graph: Graph, op: Op, index: int = 2) -> npt.NDArray[np.int32] | None:
    """The bias [output channels], or None where the op has none."""
    if len(op.inputs) <= index or op.inputs[index] == ABSENT:
        return None
    return constant(graph, op, index).astype(np.int32)


def first_input(graph: Graph, op: Op) -> Tensor:
    """The op's first input."""
    return graph.tensor(op.inputs[0])


def first_output(graph: Graph, op: Op) -> Tensor:
    """The op's first output."""
    return graph.tensor(op.outputs[0])


def runs(elements: int) -> tuple[Int, Int, Int]:
    """The arguments of a kernel that writes ``elements`` in runs that may lie apart: here in one."""
    return Int("elements", elements), Int("out_run", elements), Int("out_pitch", elements)


def operand_runs(elements: int) -> tuple[Int, Int]:
    """Behind :func:`runs`, the arguments of a kernel of two operands whose runs may lie apart: here in one."""
    return Int("a_pitch", elements), Int("b_pitch", elements)


def make_step(
    graph: Graph,
    op: Op,
    *,
    kernel: str,
    header: str,
    inputs: tuple[int, ...],
    args: tuple[Arg, ...],
    consts: tuple[Const, ...] = (),
    scratch_bytes: int = 0,
    in_place: tuple[tuple[int, int], ...] = (),
) -> Step:
    """A step that does ``op`` alone."""
    return Step(
        name=op.name,
        kind=op.kind,
        kernel=kernel,
        header=header,
        inputs=inputs,
        outputs=op.outputs,
        args=args,
        consts=consts,
        scratch_bytes=scratch_bytes,
        in_place=in_place,
        op_indices=tuple(i for i, other in enumerate(graph.ops) if other is op),
        macs=SPECS[op.kind].macs(graph, op),
    )
