"""The search over plans: which steps run row by row, for the least memory or for the least within a limit of work.

States are cuts of the order of steps, edges the ways to get from one to a later one (:mod:`tinyml.plan.cuts`). Under a
limit of memory the best path is one of least work over the edges that stay below it; the least memory, of all or for a
limit of work, is found by bisection. An edge is worked out only where a quick bound on it, what is alive at its ends
and the windows between, is below the limit; what the windows of a chain take alone is taken to be no less for a longer
one.

An output over an input fixes the distance of both, and a chain of such overlaps becomes a block higher than any of its
members. So a path also carries how high the block above the newest member has become.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate
from math import inf

from tinyml.lower.program import Program
from tinyml.lower.rows import RowSteps
from tinyml.plan.cuts import LONGEST_SEGMENT, Cuts, Edge

_COUNTS = (1, 2, 3, 4)
_MOST_LABELS = 12
_FIRST_STEP_PART = 200
_TOLERANCE_BYTES, _TOLERANCE_PART = 16, 400


@dataclass(frozen=True, slots=True)
class Path:
    """Edges from the first cut to the last; ``height_bytes`` is the highest block of overlaps on the way."""

    edges: tuple[Edge, ...]
    height_bytes: int = 0

    @property
    def peak_bytes(self) -> int:
        """The most memory of an edge, or of a block of overlaps."""
        return max(max((e.peak_bytes for e in self.edges), default=0), self.height_bytes)

    @property
    def work(self) -> float:
        """Instructions, estimated."""
        return sum(e.work for e in self.edges)

    @property
    def links(self) -> frozenset[tuple[int, int]]:
        """(source, target) of the overlaps that the peak counts on."""
        return frozenset((e.overlap.source, e.overlap.target) for e in self.edges if e.overlap is not None)


@dataclass(frozen=True, slots=True)
class _Label:
    """A path to a cut: its cost, the newest tensor of a block of overlaps, the block's height above its start."""

    work: float
    parts: int
    tensor: int
    block_bytes: int
    height_bytes: int
    edge: Edge | None
    before: _Label | None

    def dominates(self, other: _Label) -> bool:
        """Whether ``other`` is no better in anything."""
        same = self.tensor == other.tensor or self.tensor < 0
        cheaper = (self.work, self.parts) <= (other.work, other.parts)
        return cheaper and same and self.block_bytes <= other.block_bytes


class Search:
    """Paths through the cuts of ``program``."""

    def __init__(self, program: Program, find: RowSteps) -> None:
        self.cuts = Cuts(program, find)
        self.steps = len(program.steps)
        self._paths: dict[int, Path | None] = {}
        self._least: int | None = None

    def least_bytes(self) -> int | None:
        """The bytes that are live at once in the best of all plans: a bound for every placed one."""
        return self._least_edge_peak()

    def least_peak(self) -> Path | None:
        """The path of the least peak, of those one of the least work."""
        return self.within(float("inf"))

    def within(self, most_work: float) -> Path | None:
        """The path of the least peak whose work is at most ``most_work``, or that of the least work where none is.

        None where there is no path at all: an input that comes by rows and that no segment can take.

        From the least peak of single edges on the limit is raised, ever faster, until there is such a path.
        """
        least = self._least_edge_peak()
        if least is None:
            return None
        failed, limit = least - 1, least
        step, enough = max(limit // _FIRST_STEP_PART, 1), self._enough()
        while True:
            path = self.least_work(min(limit, enough))
            if path is not None and (path.work <= most_work or limit >= enough):
                break
            if limit >= enough:
                return None
            failed, limit, step = limit, limit + step, 2 * step
        if path.work > most_work:
            return path
        found, limit = path, path.peak_bytes
        while limit - failed > max(_TOLERANCE_BYTES, limit // _TOLERANCE_PART):
            middle = (failed + limit) // 2
            path = self.least_work(middle)
            if path is not None and path.work <= most_work:
                found, limit = path, path.peak_bytes
            else:
                failed = middle
        return found

    def _least_edge_peak(self) -> int | None:
        """The least peak of a path whose overlaps need not fit together: no path has a lower one; None without one."""
        if self._least is None:
            self._least = self._find_least_edge_peak()
        return self._least

    def _find_least_edge_peak(self) -> int | None:
        """Cuts are reached in the order of the memory that it takes; edges are worked out when their bound is due.

        By rows only one a call, without which :meth:`_edges` has no more either.
        """
        reached = [False] * (self.steps + 1)
        due: list[tuple[float, int, int, bool]] = []
        inner_bytes: list[dict[int, int]] = [{} for _ in range(self.steps + 1)]

        def reach(start: int) -> None:
            reached[start] = True
            for end in range(start + 1, min(start + LONGEST_SEGMENT, self.steps) + 1):
                if not reached[end]:
                    heappush(due, (self._least_bytes(start, end), start, end, False))
            for edge in self.cuts.whole(start) if start < self.steps else ():
                heappush(due, (edge.peak_bytes, start, start + 1, True))

        reach(0)
        level = 0.0
        while due and not reached[-1]:
            bound, start, end, is_exact = heappop(due)
            if reached[end]:
                continue
            of_shorter = max((found for other, found in inner_bytes[end].items() if other > start), default=0)
            if not is_exact and of_shorter > bound:
                heappush(due, (of_shorter, start, end, False))
                continue
            level = max(level, bound)
            if is_exact:
                reach(end)
            elif edges := self.cuts.by_rows(start, end - 1, _COUNTS[0]):
                inner_bytes[end][start] = edges[0].inner_bytes
                heappush(due, (min(e.peak_bytes for e in edges), start, end, True))
        return int(level) if reached[-1] else None

    def _least_bytes(self, start: int, end: int) -> int:
        """What an edge by rows takes at least: what is alive at its ends, and the windows between."""
        cuts = self.cuts
        return max(cuts.cut_bytes[start], cuts.cut_bytes[end]) + cuts.windows_bytes(start, end)

    def _enough(self) -> int:
        """A limit below which a path surely lies: every step alone, or the longest way by rows, nothing shared."""
        whole = [min((e.peak_bytes for e in self.cuts.whole(i)), default=0) for i in range(self.steps)]
        return 2 * sum(self.cuts.sizes.values()) + max(whole, default=0)

    def least_work(self, peak_bytes: int) -> Path | None:
        """The path of the least work with no peak above ``peak_bytes``, None where there is none."""
        if peak_bytes not in self._paths:
            self._paths[peak_bytes] = self._least_work(peak_bytes)
        return self._paths[peak_bytes]

    def _least_work(self, limit: int) -> Path | None:
        labels: list[list[_Label]] = [[] for _ in range(self.steps + 1)]
        labels[0] = [_Label(0.0, 0, -1, 0, 0, None, None)]
        full = self._full_before(limit)
        for end in range(1, self.steps + 1):
            for start in range(end - 1, -1, -1):
                if not self._bounds(start, end, limit):
                    break
                if not labels[start] or (end > start + 1 and full[start] == full[end]):
                    continue
                least_inner_bytes = 0
                for edge in self._edges(start, end, limit):
                    least_inner_bytes = edge.inner_bytes if edge.count == 1 else least_inner_bytes
                    if edge.peak_bytes <= limit:
                        for label in labels[start]:
                            self._add(labels[end], self._extended(label, edge), limit)
                if least_inner_bytes > limit:
                    break
        best = min(labels[-1], key=lambda x: (x.work, x.parts), default=None)
        if best is None:
            return None
        edges: list[Edge] = []
        at: _Label | None = best
        while at is not None and at.edge is not None:
            edges.append(at.edge)
            at = at.before
        return Path(tuple(reversed(edges)), best.height_bytes)

    def _full_before(self, limit: int) -> list[int]:
        """How many of the steps before each cut do not run alone within ``limit``, nothing overlapping.

        Steps that all do are never better off by rows, which takes more work.
        """
        apart = ([e.peak_bytes for e in self.cuts.whole(i) if e.overlap is None] for i in range(self.steps))
        return list(accumulate((min(peaks, default=inf) > limit for peaks in apart), initial=0))

    def _extended(self, label: _Label, edge: Edge) -> _Label:
        work, parts = label.work + edge.work, label.parts + 1
        tensor, block, height = label.tensor, label.block_bytes, label.height_bytes
        if edge.overlap is not None:
            above = block if edge.overlap.source == tensor else self.cuts.sizes[edge.overlap.source]
            tensor = edge.overlap.target
            block = max(self.cuts.sizes[tensor], edge.overlap.shift + above)
            height = max(height, block)
        elif tensor not in self.cuts.alive[edge.last + 1]:
            tensor, block = -1, 0
        return _Label(work, parts, tensor, block, height, edge, label)

    @staticmethod
    def _add(labels: list[_Label], label: _Label, limit: int) -> None:
        if label.height_bytes > limit or any(known.dominates(label) for known in labels):
            return
        labels[:] = [known for known in labels if not label.dominates(known)]
        labels.append(label)
        if len(labels) > _MOST_LABELS:
            labels.remove(max(labels, key=lambda x: (x.work, x.parts)))

    def _bounds(self, start: int, end: int, limit: float) -> bool:
        """Whether an edge from ``start`` or from further left may stay within ``limit``."""
        return end - start <= LONGEST_SEGMENT and self.cuts.windows_bytes(start, end) <= limit

    def _edges(self, start: int, end: int, limit: float) -> Iterator[Edge]:
        cuts = self.cuts
        if end == start + 1:
            yield from cuts.whole(start)
        if self._least_bytes(start, end) > limit:
            return
        for count in _COUNTS:
            edges = cuts.by_rows(start, end - 1, count)
            if edges is None:
                return
            yield from edges
            if min(e.peak_bytes for e in edges) > limit:
                return
