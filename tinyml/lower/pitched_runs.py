"""Steps whose output or input lies in runs with gaps between, as channels of a concatenation do in the whole.

What a kernel can is told by its arguments: ``out_pitch`` and ``in_pitch`` are the elements from one run to the next of
what it writes and reads, ``a_pitch`` and ``b_pitch`` those of two operands. A run is ``out_run`` elements, without it
the channels of a pixel.
"""

from __future__ import annotations

from dataclasses import replace

from tinyml.lower.mve.places import moved
from tinyml.lower.program import Arg, In, Int, Ints, Out, Pointers, Step

CONCATENATE = "tml_concatenate"
OUT_PITCH, OUT_RUN, IN_PITCH, OPERANDS = "out_pitch", "out_run", "in_pitch", ("a_pitch", "b_pitch")
_ROW_STEPS = ("a_step", "b_step")
"""What rows of two operands advance them by, for rows of ``elements``."""
_STRIDES = {"strides_a": 0, "strides_b": 1, "strides": 0}
"""The arguments that say how far each loop advances an input, and which argument that input is."""
SHORTEST_RUN = 16
"""Around shorter runs of an element-wise kernel the loop costs as much as their copy (measured on HarDNet)."""


def _ints(step: Step) -> dict[str, int]:
    return {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}


def _with(step: Step, changed: dict[str, int]) -> tuple[Arg, ...]:
    return tuple(Int(arg.name, changed.get(arg.name, arg.value)) if isinstance(arg, Int) else arg for arg in step.args)


def _in_runs(step: Step, run: int) -> dict[str, int] | None:
    """What changes so that ``step`` goes along in runs of ``run``; None where it cannot or that does not pay."""
    values = _ints(step)
    inner = next((arg.values[-1] for arg in step.args if isinstance(arg, Ints) and arg.name == "sizes"), 1)
    before = values[OUT_RUN]
    if before == run:
        return {}
    if before != values.get("elements", before) or run % inner or (inner == 1 and run < SHORTEST_RUN):
        return None
    whole = [name for name in (OUT_RUN, OUT_PITCH, *OPERANDS) if name in values]
    return dict.fromkeys(whole, run) if all(values[name] == before for name in whole) else None


def _strided(step: Step, index: int, run: int, pitch: int) -> Step | None:
    """``step``, whose loops have strides, with those of its input ``index`` for runs of ``run`` that are apart."""
    lists = {arg.name: arg.values for arg in step.args if isinstance(arg, Ints)}
    offset = _ints(step).get("offset", 0)
    found: dict[str, tuple[int, ...]] = {}
    for name, position in _STRIDES.items():
        if name not in lists or step.args[position] != In(index):
            continue
        loops = [(size, stride) for size, stride in zip(lists["sizes"], lists[name], strict=True) if size > 1]
        inside = offset % run + sum(stride * (size - 1) for size, stride in loops if 0 <= stride < run)
        if inside >= run or any(stride < 0 or (stride >= run and stride % run) for _, stride in loops):
            return None
        found[name] = tuple(stride // run * pitch + stride % run for stride in lists[name])
    args = tuple(Ints(a.name, found.get(a.name, a.values)) if isinstance(a, Ints) else a for a in step.args)
    moved_to = {"offset": offset // run * pitch + offset % run}
    others = tuple(pair for pair in step.in_place if pair[1] != index)
    return replace(step, args=_with(replace(step, args=args), moved_to), in_place=others) if found else None


def with_pitch(step: Step, run: int, pitch: int, element_bytes: int = 1) -> Step | None:
    """``step`` with its output as runs of ``run`` elements, ``pitch`` from one to the next; None where it cannot."""
    values = _ints(step)
    if step.rows is not None or Out(0) not in step.args:
        return None
    if step.kernel == CONCATENATE:
        fits = values["row_bytes"] == run * element_bytes
        return replace(step, args=_with(step, {"row_bytes": pitch * element_bytes})) if fits else None
    if OUT_PITCH not in values or (OUT_RUN not in values and values[OUT_PITCH] != run):
        return None
    runs = _in_runs(step, run) if OUT_RUN in values else {}
    consts = [moved(const, values[OUT_PITCH], pitch) for const in step.consts]
    if runs is None or None in consts:
        return None
    found = tuple(const for const in consts if const is not None)
    return replace(step, args=_with(step, runs | {OUT_PITCH: pitch}), consts=found, in_place=())


def reading_apart(step: Step, tensor: int, run: int, pitch: int, element_bytes: int = 1) -> Step | None:
    """``step`` with its input ``tensor`` as runs of ``run`` elements, ``pitch`` apart; None where it cannot."""
    values = _ints(step)
    if step.rows is not None or tensor not in step.inputs:
        return None
    index = step.inputs.index(tensor)
    others = tuple(pair for pair in step.in_place if pair[1] != index)
    if step.kernel == CONCATENATE:
        pointers = next(arg.items for arg in step.args if isinstance(arg, Pointers))
        there = [i for i, pointer in enumerate(pointers) if pointer == In(index)]
        lists = {arg.name: list(arg.values) for arg in step.args if isinstance(arg, Ints)}
        if any(lists["part_bytes"][i] != run * element_bytes for i in there):
            return None
        for i in there:
            lists["part_pitch"][i] = pitch * element_bytes
        args = tuple(Ints(a.name, tuple(lists[a.name])) if isinstance(a, Ints) else a for a in step.args)
        return replace(step, args=args)
    read = [name for name, arg in zip(OPERANDS, step.args, strict=False) if arg == In(index)]
    if OPERANDS[0] in values and read:
        runs = _in_runs(step, run)
        return None if runs is None else replace(
            step, args=_with(step, runs | dict.fromkeys(read, pitch)), in_place=others
        )  # fmt: skip
    if any(arg.name in _STRIDES for arg in step.args if isinstance(arg, Ints)):
        return _strided(step, index, run, pitch)
    rows = [name for name, arg in zip(_ROW_STEPS, step.args, strict=False) if arg == In(index)]
    if _ROW_STEPS[0] in values and rows:
        fits = all(values[name] == values["elements"] == run for name in rows)
        return replace(step, args=_with(step, dict.fromkeys(rows, pitch)), in_place=others) if fits else None
    if values.get(IN_PITCH) != run or sum(arg == In(index) for arg in step.args) != 1:
        return None
    return replace(step, args=_with(step, {IN_PITCH: pitch}), in_place=others)
