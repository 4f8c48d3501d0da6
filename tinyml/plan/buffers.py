"""Lifetimes: which bytes have to exist at which step, and which of them share an address.

Time runs from -1 (the caller has filled the inputs) over the steps 0 … n-1 to n (the caller reads the outputs). A
:class:`Buffer` is a tensor or a step's scratch; a :class:`Group` is a set of buffers whose distance is fixed, because
one is computed in place of another. The packer places groups.

The steps of a segment run in turns, row by row, so what it reads or makes whole is live from its first step to its
last, and so are windows; rows that only pass through are live from their maker to their last reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinyml.graph.ir import ABSENT, Graph
from tinyml.lower.program import Program, Step
from tinyml.plan.segments import Segment, segments_of

TENSOR_ALIGN_BYTES = 4
SCRATCH_ALIGN_BYTES = 8


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes that are live from step ``first`` to step ``last``, both included.

    ``tensor`` is the storage tensor, or None for the scratch of step ``step``.
    """

    tensor: int | None
    name: str
    size_bytes: int
    first: int
    last: int
    align_bytes: int = TENSOR_ALIGN_BYTES
    step: int | None = None

    def overlaps(self, other: Buffer) -> bool:
        """Whether both are live at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Group:
    """Buffers at fixed distances: ``members[i]`` lies ``shifts[i]`` bytes above the group's offset (never below)."""

    members: tuple[Buffer, ...]
    shifts: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes from the group's offset to the end of its farthest member."""
        return max(s + b.size_bytes for s, b in zip(self.shifts, self.members, strict=True))

    @property
    def align_bytes(self) -> int:
        """The strictest alignment of a member."""
        return max(b.align_bytes for b in self.members)

    @property
    def first(self) -> int:
        """The first step at which a member is live."""
        return min(b.first for b in self.members)

    @property
    def last(self) -> int:
        """The last step at which a member is live."""
        return max(b.last for b in self.members)

    def live_bytes(self, time: int) -> int:
        """Bytes of the arena that the group holds at ``time``."""
        members = zip(self.shifts, self.members, strict=True)
        spans = [(s, s + b.size_bytes) for s, b in members if b.first <= time <= b.last]
        return max(e for _, e in spans) - min(s for s, _ in spans) if spans else 0


def _storage_of(program: Program, tensors: Iterable[int]) -> list[int]:
    return [program.storage(t) for t in tensors if t != ABSENT]


def _alive(graph: Graph, tensor: int) -> bool:
    return tensor != ABSENT and not graph.tensors[tensor].is_constant


def tensor_buffers(program: Program) -> dict[int, Buffer]:
    """The buffer of every storage tensor: from its writer (inputs: -1) to its last reader (outputs: n).

    That of a tensor inside of a segment is as large as its window. What a step keeps is live all the time.
    """
    graph, end = program.graph, len(program.steps)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    size: dict[int, int] = {}

    def touch(tensor: int, time: int) -> None:
        if _alive(graph, tensor):
            owner = program.storage(tensor)
            first.setdefault(owner, time)
            last[owner] = max(last.get(owner, time), time)
            size[owner] = max(size.get(owner, 0), graph.tensors[tensor].size_bytes, graph.tensors[owner].size_bytes)

    segments = segments_of(program)
    inside = {t: segment for segment in segments for t in segment.inside}
    for tensor in graph.inputs:
        if tensor not in inside:
            touch(tensor, -1)
    for time, step in enumerate(program.steps):
        segment = next((s for s in segments if s.first <= time <= s.last), None)
        for tensor in (*step.outputs, *step.inputs):
            if segment is not None:
                touch(tensor, segment.first)
                touch(tensor, segment.last)
            touch(tensor, time)
    for tensor in (*graph.outputs, *(t for step in program.steps if step.keeps for t in step.outputs)):
        touch(tensor, end)
    for step in program.steps:
        first.update(dict.fromkeys(step.outputs, -1) if step.keeps else {})
    for tensor, segment in inside.items():
        if tensor in segment.hosted:
            for known in (first, last, size):
                known.pop(tensor, None)
            continue
        first[tensor], last[tensor] = segment.lifetime(tensor)
        size[tensor] = segment.window_bytes(tensor)
    made_by = {program.storage(t): f"{step.name} output" for step in reversed(program.steps) for t in step.outputs}
    buffers = {}
    for t in first:
        align_bytes = max(TENSOR_ALIGN_BYTES, graph.tensors[t].dtype.size_bytes)
        buffers[t] = Buffer(t, made_by.get(t, graph.tensors[t].name), size[t], first[t], last[t], align_bytes)
    return buffers


def scratch_buffers(program: Program) -> dict[int, Buffer]:
    """The scratch buffer of every step that has one, by step; a reduction by rows keeps its own for its segment."""
    spans = {i: span for span in program.segments for i in range(span[0], span[1] + 1)}
    found = {}
    for i, step in enumerate(program.steps):
        if step.scratch_bytes:
            keeps = step.rows is not None and step.rows.reduces
            first, last = spans[i] if keeps else (i, i)
            found[i] = Buffer(None, f"{step.name} scratch", step.scratch_bytes, first, last, SCRATCH_ALIGN_BYTES, i)
    return found


def in_place_pairs(program: Program, tensors: dict[int, Buffer]) -> list[tuple[int, int]]:
    """(input, output) storage tensors that may share an address: the kernel allows it, nobody reads the input later.

    Where several inputs of a step qualify, the one that is nearest to the output in size is taken; a tensor takes part
    at most once on each side.
    """
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    segments = segments_of(program)
    for time, step in enumerate(program.steps):
        if step.rows is not None and not _passes_whole_calls(segments, time, step):
            continue
        for position in dict.fromkeys(o for _, o in step.in_place):
            out = program.storage(step.outputs[position])
            usable = [t for t in _candidates(program, step, position) if t in tensors and t not in taken and t != out]
            usable = [t for t in usable if _dies_here(tensors[t], tensors[out], time)]
            if usable:
                best = min(usable, key=lambda t: abs(tensors[t].size_bytes - tensors[out].size_bytes))
                taken.add(best)
                pairs.append((best, out))
    return pairs


def _candidates(program: Program, step: Step, out_position: int) -> list[int]:
    if program.is_part(step.outputs[out_position]):
        return []
    allowed = [step.inputs[i] for i, o in step.in_place if o == out_position]
    used = _storage_of(program, step.inputs)
    parts = {program.storage(t) for t in step.inputs if program.is_part(t)}
    return [s for s in _storage_of(program, allowed) if s not in parts and (used.count(s) == 1 or len(set(used)) == 1)]


def _passes_whole_calls(segments: tuple[Segment, ...], time: int, step: Step) -> bool:
    """Whether all that a call of the step reads by rows and makes only passes through, as many rows as a call has."""
    segment = next(s for s in segments if s.first <= time <= s.last)
    assert step.rows is not None
    read = [step.inputs[p] for p in step.rows.positions]
    rows = [(t, step.rows.kernel) for t in read] + [(step.outputs[0], step.rows.count)]
    return all(
        t in segment.inside
        and t not in segment.hosted
        and segment.is_passing(t)
        and segment.window_rows(t) == count == step.rows.stride
        for t, count in rows
    )


def overlaps(program: Program, tensors: dict[int, Buffer]) -> list[tuple[int, int, int]]:
    """(source, result, shift): a segment's result may lie over a source from ``shift`` bytes below the source on.

    Of each segment the largest source that dies with it and the largest result that is born in it.
    """
    found = []
    for segment in segments_of(program):
        dying = [t for t in segment.sources if tensors[program.storage(t)].last == segment.last]
        born = [t for t in segment.results if tensors[program.storage(t)].first == segment.first]
        if dying and born:
            source, result = (max(ts, key=lambda t: tensors[program.storage(t)].size_bytes) for ts in (dying, born))
            shift = segment.shift(source, result)
            if shift is not None:
                found.append((source, result, -(-shift // TENSOR_ALIGN_BYTES) * TENSOR_ALIGN_BYTES))
    return found


def _dies_here(source: Buffer, target: Buffer, time: int) -> bool:
    return source.last == time and target.first == time


@dataclass(frozen=True, slots=True)
class Link:
    """Two storage tensors that share addresses: ``target`` begins ``shift`` bytes below ``source``."""

    source: int
    target: int
    shift: int


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """All buffers of a program: of storage tensors, of scratch by step, and which of them may be linked."""

    tensors: dict[int, Buffer]
    scratch: dict[int, Buffer]
    links: tuple[Link, ...]


def layout(program: Program) -> Layout:
    """The buffers of ``program`` and every link that is allowed; a tensor takes part at most once on each side."""
    tensors = tensor_buffers(program)
    links = [Link(a, b, 0) for a, b in in_place_pairs(program, tensors)]
    for source, result, shift in overlaps(program, tensors):
        if all(source != link.source and result != link.target for link in links):
            links.append(Link(source, result, shift))
    return Layout(tensors, scratch_buffers(program), tuple(links))


def needed_links(found: Layout, steps: int) -> tuple[Link, ...]:
    """Of the links of ``found`` those without which some step would hold more than the fullest step holds with all.

    A link fixes a distance, and a chain of many makes one large block that fits nowhere. So links are given up, from
    the first, where the bytes that they save are not needed.
    """
    live = [0] * (steps + 2)
    for group in groups(found, found.links):
        for time in range(group.first, group.last + 1):
            live[time + 1] += group.live_bytes(time)
    most = max(live)
    kept = []
    for link in found.links:
        source, target = found.tensors[link.source], found.tensors[link.target]
        shared = range(target.first, source.last + 1)
        span = max(link.shift + source.size_bytes, target.size_bytes)
        saved = source.size_bytes + target.size_bytes - span
        if any(live[time + 1] + saved > most for time in shared):
            kept.append(link)
        else:
            for time in shared:
                live[time + 1] += saved
    return tuple(kept)


def groups(found: Layout, links: Iterable[Link]) -> list[Group]:
    """All buffers of ``found`` as groups, ``links`` joining what they name."""
    following = {link.source: link for link in links}
    targets = {link.target for link in following.values()}
    result = []
    for tensor in found.tensors:
        if tensor in targets:
            continue
        chain, shifts = [tensor], [0]
        while chain[-1] in following:
            link = following[chain[-1]]
            chain.append(link.target)
            shifts.append(shifts[-1] - link.shift)
        lowest = min(shifts)
        result.append(Group(tuple(found.tensors[t] for t in chain), tuple(s - lowest for s in shifts)))
    result.extend(Group((b,), (0,)) for b in found.scratch.values())
    return result
