"""The graph of plans: cuts of the order of steps, and the steps between two cuts as an edge that costs bytes and work.

A cut stands between two steps; what is alive there lies whole in memory. From one cut to a later one the steps run
either one after the other (an edge of one step) or together, row by row (an edge of any number of steps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from tinyml.graph.ir import ABSENT
from tinyml.lower.program import Program, Step
from tinyml.lower.rows import RowSteps, by_rows
from tinyml.plan.segments import Segment, readers_of, row_bytes
from tinyml.plan.work import call_overhead, moved_work, step_work

ALIGN_BYTES = 4
LEAST_MORE_WORK = 0.002
"""Running by rows is never taken for cheaper than running whole, whatever the estimates say."""
LAST_CALL_WORK = 0.05
"""A step whose rows are left over at the end has its kernel twice: weighed as so much more of its work."""
LONGEST_SEGMENT = 40
"""Steps that may run together: beyond it windows add up to more than whole tensors in every network we have seen."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A tensor that dies under an edge and one that is born under it, at addresses ``shift`` bytes below it."""

    source: int
    target: int
    shift: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Steps ``first`` to ``last``, by rows where ``count`` (rows of output a call) is not 0.

    ``peak_bytes`` is the least memory while they run (scratch and what lives across them included; placing can take
    more), ``work`` the instructions that they are estimated to take. ``overlap`` is what the peak counts on,
    ``inner_bytes`` what windows, passing rows and scratch take of the peak.
    """

    first: int
    last: int
    count: int
    peak_bytes: int
    work: float
    overlap: Overlap | None = None
    inner_bytes: int = 0


def _up(size: int) -> int:
    return -(-size // ALIGN_BYTES) * ALIGN_BYTES


class Cuts:
    """What is alive at each cut of ``program``, and the edges between cuts, worked out when they are asked for."""

    def __init__(self, program: Program, find: RowSteps) -> None:
        self.program = program
        self.find = find
        self._whole: dict[int, list[Edge]] = {}
        self._edges: dict[tuple[int, int, int], list[Edge] | None] = {}

    @cached_property
    def spans(self) -> dict[int, tuple[int, int]]:
        """The first and the last cut at which each storage tensor is alive."""
        program, graph = self.program, self.program.graph
        spans: dict[int, tuple[int, int]] = {}

        def alive(tensor: int, cut: int) -> None:
            if tensor != ABSENT and not graph.tensors[tensor].is_constant:
                owner = program.storage(tensor)
                low, high = spans.get(owner, (cut, cut))
                spans[owner] = min(low, cut), max(high, cut)

        for tensor in graph.inputs:
            alive(tensor, 0)
        for index, step in enumerate(program.steps):
            for tensor in step.inputs:
                alive(tensor, index)
            for tensor in step.outputs:
                alive(tensor, index + 1)
        for tensor in graph.outputs:
            alive(tensor, len(program.steps))
        return spans

    @cached_property
    def sizes(self) -> dict[int, int]:
        """Bytes of each storage tensor."""
        return {t: self.program.graph.tensors[t].size_bytes for t in self.spans}

    @cached_property
    def alive(self) -> tuple[frozenset[int], ...]:
        """The tensors alive at each cut; a fed input only where it is read behind the first segment, which keeps it."""
        fed = set(self.program.graph.inputs) if self.program.fed_by_rows else set()
        cuts = range(len(self.program.steps) + 1)
        return tuple(
            frozenset(t for t, (low, high) in self.spans.items() if low <= cut <= high and (cut > 0 or t not in fed))
            for cut in cuts
        )

    @cached_property
    def cut_bytes(self) -> tuple[int, ...]:
        """Bytes alive at each cut."""
        return tuple(sum(self.sizes[t] for t in cut) for cut in self.alive)

    @cached_property
    def step_works(self) -> tuple[float, ...]:
        """Instructions that each step is estimated to take when it runs whole."""
        return tuple(step_work(self.program, step) for step in self.program.steps)

    @cached_property
    def least_windows(self) -> tuple[int, ...]:
        """For each step, bytes that streaming through its output keeps at least: what a reader needs again."""
        readers: dict[int, list[Step]] = {}
        for index in range(len(self.program.steps)):
            step = self.find(index, 1)
            if step is not None and step.rows is not None:
                for position in step.rows.positions:
                    readers.setdefault(step.inputs[position], []).append(step)
        found = []
        for step in self.program.steps:
            kept = [s.rows.kernel for s in readers.get(step.outputs[0], ()) if s.rows and s.rows.kernel > s.rows.stride]
            rows = min(max(kept, default=0), self.program.graph.tensors[step.outputs[0]].shape[1] if kept else 0)
            found.append(rows * row_bytes(self.program, step.outputs[0]) if kept else 0)
        return tuple(found)

    @cached_property
    def _readers(self) -> dict[int, tuple[int, ...]]:
        return readers_of(self.program)

    @cached_property
    def _windows_before(self) -> tuple[int, ...]:
        return tuple(accumulate(self.least_windows, initial=0))

    @cached_property
    def _maker(self) -> dict[int, int]:
        return {t: i for i, step in enumerate(self.program.steps) for t in step.outputs}

    def windows_bytes(self, start: int, end: int) -> int:
        """Bytes of windows that steps from cut ``start`` to cut ``end`` hold at least when they run by rows."""
        whole = [self._maker.get(t, -1) for t in self.alive[end]]
        kept = sum(self.least_windows[i] for i in whole if start <= i < end - 1)
        return self._windows_before[end - 1] - self._windows_before[start] - kept

    def whole(self, index: int) -> list[Edge]:
        """The edges of step ``index`` alone, at once: apart, and with an output over an input where it may be."""
        if index not in self._whole:
            self._whole[index] = self._whole_edges(index)
        return self._whole[index]

    def _whole_edges(self, index: int) -> list[Edge]:
        step = self.program.steps[index]
        if self.program.fed_by_rows and self.program.graph.inputs[0] in step.inputs:
            return []
        before, after = self.alive[index], self.alive[index + 1]
        apart = sum(self.sizes[t] for t in before | after) + _up(step.scratch_bytes)
        pairs = [
            (self.program.storage(step.inputs[i]), self.program.storage(step.outputs[o])) for i, o in step.in_place
        ]
        found = [Edge(index, index, 0, apart, self.step_works[index])]
        for a, b in dict.fromkeys(pairs):
            if a in before - after and b in after - before:
                shared = min(self.sizes[a], self.sizes[b])
                found.append(Edge(index, index, 0, apart - shared, self.step_works[index], Overlap(a, b, 0)))
        return found

    def by_rows(self, first: int, last: int, count: int) -> list[Edge] | None:
        """The edges of steps ``first`` to ``last`` row by row, apart and overlapping; None where they cannot run so."""
        key = first, last, count
        if key not in self._edges:
            self._edges[key] = self._row_edges(first, last, count)
        return self._edges[key]

    def segment(self, first: int, last: int, count: int) -> Segment | None:
        """Steps ``first`` to ``last`` as a segment, None where they cannot be one; ``count`` as of :meth:`row_step`."""
        steps = list(self.program.steps)
        for index in range(first, last + 1):
            found = self.row_step(index, count)
            if found is None:
                return None
            steps[index] = found
        program = replace(self.program, steps=tuple(steps), segments=((first, last),))
        segment = Segment(program, first, last, self._readers)
        return segment if self._is_sound(segment) else None

    def row_step(self, index: int, count: int) -> Step | None:
        """Step ``index`` by rows: ``count`` of them a call, or the largest number below for which it has a form."""
        for rows in range(count, 0, -1):
            found = self.find(index, rows)
            if found is not None:
                return found
        return None

    def _is_sound(self, segment: Segment) -> bool:
        """Whether every pointer is aligned, no tensor inside has another name, and what is read whole exists before."""
        program = segment.program
        for step, node in zip(segment.steps, segment.eager, strict=True):
            whole = {program.storage(t) for t in step.inputs if t not in node.inputs}
            renamed = any(program.storage(t) != t and program.storage(t) in segment.made for t in node.inputs)
            if whole & segment.made or renamed:
                return False
            if program.storage(node.output) != node.output:
                return False
            if segment.fed is not None and program.graph.inputs[0] in whole:
                return False
            for tensor in node.inputs:
                size, windowed = row_bytes(program, tensor), tensor in segment.inside
                steps = (node.rows.stride, node.rows.pad_top, *((1,) if windowed else ()))
                if any(size * n % ALIGN_BYTES for n in steps):
                    return False
            if not node.rows.reduces and row_bytes(program, node.output) * node.rows.count % ALIGN_BYTES:
                return False
        aliases = set(program.alias_of.values())
        return not any(t in aliases for t in segment.inside) or not (segment.inside & set(program.alias_of))

    def _row_edges(self, first: int, last: int, count: int) -> list[Edge] | None:
        segment = self.segment(first, last, count)
        if segment is None:
            return None
        before, after = self.alive[first], self.alive[last + 1]
        work = self._row_work(segment)
        inner = self._inner_bytes(segment)
        apart = sum(self.sizes[t] for t in before | after) + inner
        found = [Edge(first, last, count, apart, work, None, inner)]
        dying = [t for t in segment.sources if t in before - after]
        if dying and segment.results:
            source = max(dying, key=lambda t: self.sizes[t])
            result = max(segment.results, key=lambda t: self.sizes[t])
            shift = segment.shift(source, result) if result in after else None
            if shift is not None:
                shift = _up(shift)
                a, b = self.sizes[source], self.sizes[result]
                saved = a + b - max(b, shift + a)
                if saved > 0:
                    found.append(Edge(first, last, count, apart - saved, work, Overlap(source, result, shift), inner))
        return found

    @staticmethod
    def _inner_bytes(segment: Segment) -> int:
        """The most bytes of windows, passing rows and scratch at once."""
        kept = 0
        at = [0] * len(segment.steps)
        for tensor in segment.inside - segment.hosted.keys():
            low, high = segment.lifetime(tensor)
            if (low, high) == (segment.first, segment.last):
                kept += _up(segment.window_bytes(tensor))
            else:
                for i in range(low - segment.first, high - segment.first + 1):
                    at[i] += _up(segment.window_bytes(tensor))
        for i, step in enumerate(segment.steps):
            if step.rows is not None and step.rows.reduces:
                kept += _up(step.scratch_bytes)
            else:
                at[i] += _up(step.scratch_bytes)
        return kept + max(at)

    def _row_work(self, segment: Segment) -> float:
        work = sum(LAST_CALL_WORK * self.step_works[segment.first + i] for i, s in enumerate(segment.steps) if s.last)
        for step, node in zip(segment.steps, segment.nodes, strict=True):
            work += node.rows.calls * (step_work(segment.program, step) + call_overhead(segment.program))
        work += sum(moved_work(segment, t) for t in segment.inside)
        return max(work, sum(self.step_works[segment.first : segment.last + 1]) * (1 + LEAST_MORE_WORK))


def program_of(cuts: Cuts, edges: Sequence[Edge]) -> Program:
    """The program that runs ``edges``."""
    segments = [(e.first, e.last) for e in edges if e.count]
    counts = []
    for edge in edges:
        for index in range(edge.first, edge.last + 1) if edge.count else ():
            step = cuts.row_step(index, edge.count)
            assert step is not None and step.rows is not None
            counts.append((index, step.rows.kernel if step.rows.reduces else step.rows.count))
    return by_rows(cuts.program, segments, counts, cuts.find)
