"""The search over plans: which steps run row by row, for the least memory or for the least within a limit of work.

States are cuts of the order of steps, edges the ways to get from one to a later one (:mod:`tinyml.plan.cuts`). The
least peak is a minimax shortest path; the least work under a peak is a shortest path over the edges that stay below it;
the least peak for a limit of work lies between, found by bisection over the peaks that occur. An edge is worked out
only where a quick bound on it, what is alive at its ends and the windows between, is below what is known already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyml.lower.program import Program
from tinyml.lower.rows import RowSteps
from tinyml.plan.cuts import LONGEST_SEGMENT, Cuts, Edge

_COUNTS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Path:
    """Edges from the first cut to the last, their highest peak and their work."""

    edges: tuple[Edge, ...]

    @property
    def peak_bytes(self) -> int:
        """The most memory of an edge."""
        return max((e.peak_bytes for e in self.edges), default=0)

    @property
    def work(self) -> float:
        """Instructions, estimated."""
        return sum(e.work for e in self.edges)


class Search:
    """Paths through the cuts of ``program``."""

    def __init__(self, program: Program, find: RowSteps) -> None:
        self.cuts = Cuts(program, find)
        self.steps = len(program.steps)

    def at_once(self) -> Path:
        """Every step alone and at once."""
        return Path(tuple(self.cuts.whole(i) for i in range(self.steps)))

    def least_peak(self) -> Path:
        """The path of the least peak, of those one of the least work."""
        best = [0.0] + [float("inf")] * self.steps
        for end in range(1, self.steps + 1):
            for start in range(end - 1, -1, -1):
                if not self._bounds(start, end, best[end]):
                    break
                for edge in self._edges(start, end, best[end]):
                    best[end] = min(best[end], max(best[start], edge.peak_bytes))
        return self.least_work(int(best[-1]))

    def least_work(self, peak_bytes: int) -> Path:
        """The path of the least work with no peak above ``peak_bytes``; there has to be one."""
        best: list[tuple[float, int]] = [(0.0, 0)] + [(float("inf"), 0)] * self.steps
        back: list[Edge | None] = [None] * (self.steps + 1)
        for end in range(1, self.steps + 1):
            for start in range(end - 1, -1, -1):
                if not self._bounds(start, end, peak_bytes + 1):
                    break
                for edge in self._edges(start, end, peak_bytes + 1):
                    work, parts = best[start]
                    if edge.peak_bytes <= peak_bytes and (work + edge.work, parts + 1) < best[end]:
                        best[end], back[end] = (work + edge.work, parts + 1), edge
        edges: list[Edge] = []
        end = self.steps
        while end > 0:
            last = back[end]
            assert last is not None
            edges.append(last)
            end = last.first
        return Path(tuple(reversed(edges)))

    def within(self, most_work: float) -> Path:
        """The path of the least peak whose work is at most ``most_work``; every step at once where there is none."""
        least, most = self.least_peak(), self.at_once()
        if least.work <= most_work:
            return least
        low, high, found = least.peak_bytes, most.peak_bytes, most
        while low < high:
            middle = (low + high) // 2
            path = self.least_work(middle)
            if path.work <= most_work:
                found, high = path, path.peak_bytes
            else:
                low = middle + 1
        return found

    def _bounds(self, start: int, end: int, limit: float) -> bool:
        """Whether an edge from ``start`` or from further left may stay below ``limit``."""
        if end - start > LONGEST_SEGMENT:
            return False
        return sum(self.cuts.least_windows[start : end - 1]) < limit

    def _edges(self, start: int, end: int, limit: float) -> Iterator[Edge]:
        cuts = self.cuts
        if end == start + 1:
            yield cuts.whole(start)
        if max(cuts.cut_bytes[start], cuts.cut_bytes[end]) >= limit:
            return
        for count in _COUNTS:
            edge = cuts.by_rows(start, end - 1, count)
            if edge is None:
                return
            yield edge
