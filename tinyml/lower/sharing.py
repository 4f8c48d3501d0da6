"""Which steps call the same kernel with the same numbers, so that one copy of its code can serve them all.

Repeated blocks of a network differ in their tensors and weights only. The code generator makes one function of such a
group; the budget's estimate counts it once.
"""

from __future__ import annotations

from tinyml.lower.program import ConstRef, In, Int, Out, Program, RowInt, Scratch, Step


def shared_groups(program: Program) -> list[tuple[int, ...]]:
    """Steps that can share, by index, in order of the first; each group has at least two."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, step in enumerate(program.steps):
        key = _key(program, step)
        if key is not None:
            groups.setdefault(key, []).append(index)
    return [tuple(indices) for indices in groups.values() if len(indices) > 1]


def _key(program: Program, step: Step) -> tuple[object, ...] | None:
    """Equal for steps that can share: the kernel, every number, every pointer's type. None for kernels with arrays.

    Weights may be a constant in one step and expanded to memory for another one.
    """
    tensors = program.graph.tensors
    parts: list[object] = [step.kernel, step.scratch_bytes == 0]
    for arg in step.args:
        match arg:
            case Int(_, value):
                parts.append(value)
            case In(i):
                parts.append(("read", tensors[step.inputs[i]].dtype.value))
            case Out(i):
                parts.append(("written", tensors[step.outputs[i]].dtype.value))
            case ConstRef(i):
                parts.append(("read", str(step.consts[i].data.dtype)))
            case Scratch():
                parts.append("scratch")
            case RowInt(name):
                parts.append(("row", name))
            case _:
                return None
    return tuple(parts)
