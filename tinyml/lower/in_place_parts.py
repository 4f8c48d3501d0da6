"""CONCATENATION without a copy: a part is written where it lies in the whole.

A part is placed in one of two ways. Where the parts follow one another (the concatenation is along the outermost
dimension that is not 1) a part is a piece of the whole, whoever makes and reads it. Otherwise its rows lie apart, and
its maker has to write them so, and whoever else reads it has to read them so (:mod:`tinyml.lower.pitched_runs`). A
whole may be a part of another one. What cannot be placed is copied as before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from tinyml.lower.pitched_runs import CONCATENATE, reading_apart, with_pitch
from tinyml.lower.program import In, Int, Ints, Pointers, Program, Step

PIECE_ALIGN_BYTES = 4
"""Where tensors may begin that are read by themselves: kernels load words."""
_UNMOVED = frozenset({"READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of a concatenation that is written in place: which storage tensor, and where it begins in the whole.

    ``maker`` is the index of the step that makes it. ``run_bytes`` are those of one of its rows where they lie apart, 0
    where the part is a piece; ``readers`` are then the steps that read it beside the concatenation.
    """

    position: int
    tensor: int
    offset_bytes: int
    maker: int
    run_bytes: int = 0
    readers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A concatenation, by the index of its step, and those of its parts that can be written in place."""

    index: int
    whole: int
    row_bytes: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """What of a program decides: makers and readers of tensors, and tensors that other names stand for."""

    program: Program
    makers: dict[int, int]
    readers: dict[int, list[int]]
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
        readers: dict[int, list[int]] = {}
        for i, step in enumerate(program.steps):
            for tensor in {program.storage(t) for t in step.inputs}:
                readers.setdefault(tensor, []).append(i)
        borders = {program.storage(t) for t in (*program.graph.inputs, *program.graph.outputs)}
        return cls(program, makers, readers, frozenset(program.alias_of.values()), frozenset(borders))


def joined(program: Program) -> tuple[Joined, ...]:
    """The concatenations of ``program`` outside of its segments with the parts that can be written in place.

    A tensor that several join is a part of the last one, until which it is there anyway. None of a network that streams
    along time: its windows stay where they are.
    """
    if program.hop is not None:
        return ()
    facts, found = _Facts.of(program), []
    taken: set[int] = set()
    apart: set[int] = set()
    for index, step in reversed(list(enumerate(program.steps))):
        if step.kernel != CONCATENATE or facts.makers.get(step.outputs[0]) != index:
            continue
        whole = step.outputs[0]
        parts = tuple(part for part in _parts(facts, step, index) if part.tensor not in taken)
        if whole in apart:
            parts = tuple(part for part in parts if part.run_bytes)
        if parts:
            row_bytes = next(arg.value for arg in step.args if isinstance(arg, Int) and arg.name == "row_bytes")
            found.append(Joined(index, whole, row_bytes, parts))
            taken |= {part.tensor for part in parts}
            apart |= {part.tensor for part in parts if part.run_bytes}
    return tuple(reversed(found))


def _parts(facts: _Facts, step: Step, index: int) -> list[Part]:
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
                part = Part(position, tensor, offset, facts.makers[tensor])
                part_apart = _placed(facts, part, index, size, sum(sizes), repeats)
                found += [part_apart] if part_apart is not None else []
        offset += size
    return found


def _placed(facts: _Facts, part: Part, index: int, run_bytes: int, row_bytes: int, repeats: int) -> Part | None:
    """``part`` as it is where it is a piece, or with its rows apart; None where it has to be copied."""
    program = facts.program
    element_bytes = program.graph.tensors[part.tensor].dtype.size_bytes
    if repeats == 1:
        return part if part.offset_bytes % max(PIECE_ALIGN_BYTES, element_bytes) == 0 else None
    if part.tensor in facts.renamed or run_bytes % element_bytes or part.offset_bytes % element_bytes:
        return None
    readers = tuple(i for i in facts.readers[part.tensor] if i != index)
    found = replace(part, run_bytes=run_bytes, readers=readers)
    return found if _apart(program, list(program.steps), found, row_bytes) else None


def _apart(program: Program, steps: list[Step | None], part: Part, row_bytes: int) -> bool:
    """Puts the steps that make and read ``part`` with rows of ``row_bytes`` in place of theirs; False where one cannot.

    Steps that are gone already read and write nothing by themselves.
    """
    element_bytes = program.graph.tensors[part.tensor].dtype.size_bytes
    run, pitch = part.run_bytes // element_bytes, row_bytes // element_bytes
    found: dict[int, Step | None] = {}
    maker = steps[part.maker]
    if maker is not None:
        found[part.maker] = with_pitch(maker, run, pitch, element_bytes)
    for index in part.readers:
        reader = steps[index]
        if reader is not None:
            found[index] = reading_apart(reader, part.tensor, run, pitch, element_bytes)
    if None in found.values():
        return False
    for index, step in found.items():
        steps[index] = step
    return True


def _rows_of_wholes(chosen: Collection[Joined]) -> dict[int, int]:
    """From row to row of each whole in bytes: those of the whole that it is a part of, where its rows lie apart."""
    rows = {one.whole: one.row_bytes for one in chosen}
    for one in sorted(chosen, key=lambda one: one.index, reverse=True):
        rows |= {part.tensor: rows[one.whole] for part in one.parts if part.run_bytes and part.tensor in rows}
    return rows


def _without(one: Joined, part: Part) -> Joined:
    return replace(one, parts=tuple(other for other in one.parts if other is not part))


def write_in_place(program: Program, chosen: Collection[Joined]) -> Program:
    """``program`` whose ``chosen`` concatenations have their parts written in place; what is left of them is copied."""
    rows = _rows_of_wholes(chosen)
    steps: list[Step | None] = list(program.steps)
    alias_of, offsets, apart = dict(program.alias_of), dict(program.alias_offsets), set(program.apart)
    for one in sorted(chosen, key=lambda one: one.index):
        for part in one.parts:
            if part.run_bytes and not _apart(program, steps, part, rows[one.whole]):
                return write_in_place(program, [_without(other, part) for other in chosen])
        concatenation = steps[one.index]
        assert concatenation is not None, f"step {one.index} is joined twice"
        steps[one.index] = _remaining(concatenation, {part.position for part in one.parts})
        for part in one.parts:
            for alias in [t for t, owner in alias_of.items() if owner == part.tensor]:
                alias_of[alias] = one.whole
                offsets[alias] = offsets.get(alias, 0) + part.offset_bytes
            alias_of[part.tensor] = one.whole
            offsets[part.tensor] = part.offset_bytes
        apart |= {part.tensor for part in one.parts if part.run_bytes}
    kept = [i for i, step in enumerate(steps) if step is not None]
    place = {old: new for new, old in enumerate(kept)}
    return replace(
        program,
        steps=tuple(step for step in steps if step is not None),
        alias_of=alias_of,
        alias_offsets={t: n for t, n in offsets.items() if n},
        segments=tuple((place[first], place[last]) for first, last in program.segments),
        apart=frozenset(apart),
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
