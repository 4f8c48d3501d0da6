"""Lifetimes: which bytes have to exist at which step, and which of them share an address.

Time runs from -1 (the caller has filled the inputs) over the steps 0 … n-1 to n (the caller reads the outputs). A
:class:`Buffer` is a tensor or a step's scratch; a :class:`Group` is a set of buffers whose distance is fixed, because
one is computed in place of another. The packer places groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tinyml.graph.ir import ABSENT, Graph
from tinyml.lower.program import Program, Step

TENSOR_ALIGN_BYTES = 4
SCRATCH_ALIGN_BYTES = 8


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes that are live from step ``first`` to step ``last``, both included.

    ``tensor`` is the storage tensor, or None for the scratch of step ``first``.
    """

    tensor: int | None
    name: str
    size_bytes: int
    first: int
    last: int
    align_bytes: int = TENSOR_ALIGN_BYTES

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
    """The buffer of every storage tensor: from its writer (inputs: -1) to its last reader (outputs: n)."""
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

    for tensor in graph.inputs:
        touch(tensor, -1)
    for time, step in enumerate(program.steps):
        for tensor in (*step.outputs, *step.inputs):
            touch(tensor, time)
    for tensor in graph.outputs:
        touch(tensor, end)
    made_by = {program.storage(t): f"{step.name} output" for step in reversed(program.steps) for t in step.outputs}
    buffers = {}
    for t in first:
        align_bytes = max(TENSOR_ALIGN_BYTES, graph.tensors[t].dtype.size_bytes)
        buffers[t] = Buffer(t, made_by.get(t, graph.tensors[t].name), size[t], first[t], last[t], align_bytes)
    return buffers


def scratch_buffers(program: Program) -> dict[int, Buffer]:
    """The scratch buffer of every step that has one, by step."""
    return {
        i: Buffer(None, f"{s.name} scratch", s.scratch_bytes, i, i, SCRATCH_ALIGN_BYTES)
        for i, s in enumerate(program.steps)
        if s.scratch_bytes
    }


def in_place_pairs(program: Program, tensors: dict[int, Buffer]) -> list[tuple[int, int]]:
    """(input, output) storage tensors that may share an address: the kernel allows it, nobody reads the input later.

    Where several inputs of a step qualify, the one that is nearest to the output in size is taken; a tensor takes part
    at most once on each side.
    """
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for time, step in enumerate(program.steps):
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
    allowed = [step.inputs[i] for i, o in step.in_place if o == out_position]
    used = _storage_of(program, step.inputs)
    return [s for s in _storage_of(program, allowed) if used.count(s) == 1 or len(set(used)) == 1]


def _dies_here(source: Buffer, target: Buffer, time: int) -> bool:
    return source.last == time and target.first == time


def groups(program: Program, *, in_place: bool, apart: frozenset[tuple[int, int]] = frozenset()) -> list[Group]:
    """All buffers of the program as groups; ``in_place`` joins in-place chains, but for the pairs ``apart``."""
    tensors = tensor_buffers(program)
    pairs = in_place_pairs(program, tensors) if in_place else []
    follower = {a: b for a, b in pairs if (a, b) not in apart}
    targets = set(follower.values())
    result = []
    for tensor in tensors:
        if tensor in targets:
            continue
        chain = [tensor]
        while chain[-1] in follower:
            chain.append(follower[chain[-1]])
        members = tuple(tensors[t] for t in chain)
        result.append(Group(members, (0,) * len(members)))
    result.extend(Group((b,), (0,)) for b in scratch_buffers(program).values())
    return result
