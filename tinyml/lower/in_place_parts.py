"""CONCATENATION without a copy: a part is written where it lies in the whole.

A part is placed in one of two ways. Where the parts follow one another (the concatenation is along the outermost
dimension that is not 1) a part is a piece of the whole, whoever makes and reads it. Otherwise its rows lie apart, and
its maker has to write them so: a kernel can whose step has an argument ``out_pitch``, the elements from one run of its
output to the next. Then nothing but the concatenation may read the part. What cannot be placed is copied as before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from tinyml.lower.mve.places import moved
from tinyml.lower.program import In, Int, Ints, Out, Pointers, Program, Step

PIECE_ALIGN_BYTES = 4
"""Where tensors may begin that are read by themselves: kernels load words."""
OUT_PITCH, OUT_RUN = "out_pitch", "out_run"
"""The arguments of kernels that write runs of ``out_run`` elements (without it: of pixels' channels) apart."""
SHORTEST_RUN = 16
"""Around shorter runs of an element-wise kernel the loop costs as much as their copy (measured on HarDNet)."""
_KERNEL = "tml_concatenate"
_UNMOVED = frozenset({"READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of a concatenation that is written in place: which storage tensor, and where it begins in the whole.

    ``maker`` is the index of the step that makes it; ``step`` that step as it writes runs apart, None where the part is
    a piece.
    """

    position: int
    tensor: int
    offset_bytes: int
    maker: int
    step: Step | None


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A concatenation, by the index of its step, and those of its parts that can be written in place."""

    index: int
    whole: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """What of a program decides: makers of tensors, how many steps read them, tensors that other names stand for."""

    program: Program
    makers: dict[int, int]
    readers: Counter[int]
    renamed: frozenset[int]
    fixed: frozenset[int]

    @classmethod
    def of(cls, program: Program) -> _Facts:
        inside = {i for first, last in program.segments for i in range(first, last + 1)}
        makers = {
            step.outputs[0]: i
            for i, step in enumerate(program.steps)
            if i not in inside and len(step.outputs) == 1 and not step.keeps and step.kind not in _UNMOVED
        }
        readers = Counter(program.storage(t) for step in program.steps for t in step.inputs)
        borders = {program.storage(t) for t in (*program.graph.inputs, *program.graph.outputs)}
        return cls(program, makers, readers, frozenset(program.alias_of.values()), frozenset(borders))


def joined(program: Program) -> tuple[Joined, ...]:
    """The concatenations of ``program`` outside of its segments with the parts that can be written in place.

    None of a network that streams along time: its windows stay where they are.
    """
    if program.hop is not None:
        return ()
    facts, found = _Facts.of(program), []
    taken: set[int] = set()
    for index, step in enumerate(program.steps):
        if step.kernel != _KERNEL or facts.makers.get(step.outputs[0]) != index or step.outputs[0] in taken:
            continue
        parts = tuple(part for part in _parts(facts, step) if part.tensor not in taken)
        if parts:
            found.append(Joined(index, step.outputs[0], parts))
            taken |= {part.tensor for part in parts} | {step.outputs[0]}
    return tuple(found)


def _parts(facts: _Facts, step: Step) -> list[Part]:
    program, found, offset = facts.program, [], 0
    pointers = next(arg for arg in step.args if isinstance(arg, Pointers)).items
    sizes = next(arg.values for arg in step.args if isinstance(arg, Ints))
    repeats = next(arg.value for arg in step.args if isinstance(arg, Int) and arg.name == "repeats")
    used = Counter(program.storage(t) for t in step.inputs)
    used.update(program.storage(step.inputs[p.index]) for p in pointers if isinstance(p, In))
    for position, (pointer, size) in enumerate(zip(pointers, sizes, strict=True)):
        if isinstance(pointer, In):
            tensor = program.storage(step.inputs[pointer.index])
            whole = not program.is_part(step.inputs[pointer.index])
            if whole and used[tensor] == 2 and tensor in facts.makers and tensor not in facts.fixed:
                part = _part(facts, tensor, position, offset, size, sum(sizes), repeats)
                found += [part] if part is not None else []
        offset += size
    return found


def _part(
    facts: _Facts, tensor: int, position: int, offset: int, run_bytes: int, row_bytes: int, repeats: int
) -> Part | None:
    maker, graph = facts.makers[tensor], facts.program.graph
    element_bytes = graph.tensors[tensor].dtype.size_bytes
    if repeats == 1:
        aligned = offset % max(PIECE_ALIGN_BYTES, element_bytes) == 0
        return Part(position, tensor, offset, maker, None) if aligned else None
    if facts.readers[tensor] != 1 or tensor in facts.renamed or run_bytes % element_bytes or offset % element_bytes:
        return None
    apart = with_pitch(facts.program.steps[maker], run_bytes // element_bytes, row_bytes // element_bytes)
    return None if apart is None else Part(position, tensor, offset, maker, apart)


def with_pitch(step: Step, run: int, pitch: int) -> Step | None:
    """``step`` with its output as runs of ``run`` elements, ``pitch`` from one to the next; None where it cannot."""
    values = {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}
    if step.rows is not None or OUT_PITCH not in values or Out(0) not in step.args:
        return None
    if OUT_RUN not in values and values[OUT_PITCH] != run:
        return None
    inner = next((arg.values[-1] for arg in step.args if isinstance(arg, Ints) and arg.name == "sizes"), 1)
    if OUT_RUN in values and (run % inner or (inner == 1 and run < SHORTEST_RUN)):
        return None
    consts = [moved(const, values[OUT_PITCH], pitch) for const in step.consts]
    changed = {OUT_PITCH: pitch, OUT_RUN: run}
    args = tuple(Int(arg.name, changed.get(arg.name, arg.value)) if isinstance(arg, Int) else arg for arg in step.args)
    found = tuple(const for const in consts if const is not None)
    return replace(step, args=args, consts=found, in_place=()) if len(found) == len(consts) else None


def write_in_place(program: Program, chosen: Collection[Joined]) -> Program:
    """``program`` whose ``chosen`` concatenations have their parts written in place; what is left of them is copied."""
    steps: list[Step | None] = list(program.steps)
    alias_of, offsets = dict(program.alias_of), dict(program.alias_offsets)
    for one in chosen:
        placed = {part.position for part in one.parts}
        concatenation = program.steps[one.index]
        steps[one.index] = _remaining(concatenation, placed)
        for part in one.parts:
            if part.step is not None:
                steps[part.maker] = part.step
            for alias in [t for t, owner in alias_of.items() if owner == part.tensor]:
                alias_of[alias] = one.whole
                offsets[alias] = offsets.get(alias, 0) + part.offset_bytes
            alias_of[part.tensor] = one.whole
            offsets[part.tensor] = part.offset_bytes
    kept = [i for i, step in enumerate(steps) if step is not None]
    place = {old: new for new, old in enumerate(kept)}
    return replace(
        program,
        steps=tuple(step for step in steps if step is not None),
        alias_of=alias_of,
        alias_offsets={t: n for t, n in offsets.items() if n},
        segments=tuple((place[first], place[last]) for first, last in program.segments),
        apart=program.apart | {p.tensor for one in chosen for p in one.parts if p.step is not None},
    )


def _remaining(step: Step, placed: set[int]) -> Step | None:
    """The concatenation of the parts that are not ``placed``, None where there are none left."""
    pointers = next(arg for arg in step.args if isinstance(arg, Pointers))
    left = [i for i in range(len(pointers.items)) if i not in placed]
    if not left:
        return None
    read = dict.fromkeys(p.index for i in left if isinstance(p := pointers.items[i], In))
    number = {old: new for new, old in enumerate(read)}
    items = tuple(In(number[p.index]) if isinstance(p := pointers.items[i], In) else p for i in left)
    lists = {arg.name: tuple(arg.values[i] for i in left) for arg in step.args if isinstance(arg, Ints)}
    args = tuple(
        replace(arg, items=items) if isinstance(arg, Pointers)
        else Ints(arg.name, lists[arg.name]) if isinstance(arg, Ints)
        else Int("parts", len(left)) if isinstance(arg, Int) and arg.name == "parts"
        else arg
        for arg in step.args
    )  # fmt: skip
    return replace(step, inputs=tuple(step.inputs[i] for i in read), args=args)
