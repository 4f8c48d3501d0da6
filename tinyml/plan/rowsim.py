"""What running a segment row by row needs: how many rows of each tensor are held, and when they come and go.

A segment's steps run by one rule, here and in the generated C: of all steps that have the rows they read, the last one
makes its next rows; where none has, the next row is fed. So rows are used as soon as they are there, nothing is made
that is not needed yet, and what is held follows from the shapes alone. A step may wait for another branch besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinyml.lower.program import Rows


@dataclass(frozen=True, slots=True)
class Node:
    """A step of a segment: its ``rows``, the tensors it reads by rows, and the tensor it makes.

    Where ``after`` is a tensor, the step makes rows only when those of that tensor exist: the short branch to a join
    waits for the long one, so that its rows need not be kept meanwhile.
    """

    rows: Rows
    inputs: tuple[int, ...]
    output: int
    after: int | None = None


@dataclass(slots=True)
class Trace:
    """What happened.

    ``capacity[t]`` are the most rows of tensor t held at once, for tensors that a node makes or that are fed.
    ``passing`` are tensors of which nothing is left whenever a node outside of [maker, last reader] runs or the maker
    runs again. ``moved_rows[t]`` are the rows moved to the front of a window of that capacity. ``writes[t]`` lists, for
    each time rows of t were made, (rows made then, first row of each of ``present`` that was still needed).
    """

    capacity: dict[int, int] = field(default_factory=dict)
    passing: set[int] = field(default_factory=set)
    moved_rows: dict[int, int] = field(default_factory=dict)
    writes: dict[int, list[tuple[int, dict[int, int]]]] = field(default_factory=dict)
    calls: int = 0


class _Run:
    """The state of a segment while it is traced."""

    def __init__(
        self, nodes: Sequence[Node], heights: Mapping[int, int], present: Sequence[int], early: Mapping[int, int]
    ) -> None:
        self.nodes = nodes
        self.early = early
        self.heights = heights
        self.present = present
        self.calls = [0] * len(nodes)
        self.readers: dict[int, list[int]] = {}
        for i, node in enumerate(nodes):
            for tensor in node.inputs:
                self.readers.setdefault(tensor, []).append(i)
        self.maker = {node.output: i for i, node in enumerate(nodes)}
        self.next_turn = {t: max(found) for t, found in self.readers.items()}
        for i, node in enumerate(nodes):
            if node.after is not None:
                self.next_turn[node.after] = max(self.next_turn.get(node.after, i), i)
        self.made = dict.fromkeys(self.maker, 0) | {t: heights[t] for t in present}
        self.base = dict.fromkeys(self.made, 0)
        self.trace = Trace(passing=set(self.maker))

    def ready(self, i: int) -> bool:
        """Whether node ``i`` has a call left and the rows for it."""
        node = self.nodes[i]
        rows = node.rows
        if self.calls[i] == rows.calls:
            return False
        wanted = min(self.made[node.output] + rows.count, rows.out_height)
        if node.after is not None and self.made[node.after] < wanted:
            return False
        last = self.calls[i] * rows.stride - rows.pad_top + rows.kernel
        return all(self.made[t] >= min(last, self.heights[t]) for t in self.nodes[i].inputs)

    def needed_from(self, tensor: int) -> int:
        """The first row of ``tensor`` that a later call reads, its height where none does."""
        least = self.heights[tensor]
        for i in self.readers.get(tensor, ()):
            rows = self.nodes[i].rows
            if self.calls[i] < rows.calls:
                least = min(least, max(0, self.calls[i] * rows.stride - rows.pad_top))
        return least

    def make(self, tensor: int, count: int) -> None:
        """``count`` more rows of ``tensor``; the window is moved first where it would be full."""
        needed = min(self.needed_from(tensor), self.made[tensor])
        self.trace.capacity[tensor] = max(self.trace.capacity.get(tensor, 0), self.made[tensor] - needed + count)
        self.made[tensor] += count

    def live(self, tensor: int) -> bool:
        return self.made[tensor] > self.needed_from(tensor)

    def fire(self, i: int, watch: Sequence[int]) -> None:
        node = self.nodes[i]
        for tensor in watch:
            if tensor in self.trace.passing:
                maker, last = self.maker[tensor], self.readers[tensor][-1]
                if (i <= maker or i > last) and self.live(tensor):
                    self.trace.passing.discard(tensor)
        finishes = not node.rows.reduces or self.calls[i] == node.rows.calls - 1
        most = 1 if node.rows.reduces else node.rows.count
        count = min(most, node.rows.out_height - self.made[node.output]) if finishes else 0
        if count:
            self.make(node.output, count)
            lies_in = self.early.get(node.output, node.output)
            rows = self.made[lies_in] + (count if lies_in != node.output else 0)
            still = {t: self.needed_from(t) for t in self.present}
            self.trace.writes.setdefault(lies_in, []).append((rows, still))
        self.calls[i] += 1
        self.trace.calls += 1


def trace(
    nodes: Sequence[Node],
    heights: Mapping[int, int],
    present: Sequence[int],
    fed: int | None = None,
    early: Mapping[int, int] | None = None,
) -> Trace:
    """Run ``nodes``, in execution order, over the tensors ``present``, which lie whole in memory.

    ``heights`` are rows of every tensor; ``fed`` is the tensor whose rows come one by one, None where none does.
    ``early`` maps a tensor to the one in whose next rows its own are written, before that one's maker runs.
    """
    run = _Run(nodes, heights, present, early or {})
    if fed is not None:
        run.made[fed] = run.base[fed] = 0
    watch = [t for t in run.maker if t in run.readers]
    start = len(nodes) - 1
    while True:
        for i in range(start, -1, -1):
            if run.ready(i):
                run.fire(i, watch)
                start = max(run.next_turn.get(nodes[i].output, i), i)
                break
        else:
            if fed is None or run.made[fed] == heights[fed]:
                break
            run.make(fed, 1)
            start = len(nodes) - 1
    unfinished = [i for i, node in enumerate(nodes) if run.calls[i] != node.rows.calls]
    assert not unfinished, f"nodes {unfinished} of a segment never had their rows"
    run.trace.passing &= set(watch)
    return run.trace


def moved_rows(nodes: Sequence[Node], heights: Mapping[int, int], tensor: int, capacity: int) -> int:
    """Rows that are moved to the front of a window of ``capacity`` rows of ``tensor`` in a whole run.

    With one row after the other: a full window keeps the rows that are still needed.
    """
    readers = [node.rows for node in nodes if tensor in node.inputs]
    if not readers:
        return 0
    kept = max(r.kernel - min(r.stride, r.kernel) for r in readers)
    gained = capacity - kept
    return kept * max(0, -(-(heights[tensor] - capacity) // gained)) if gained > 0 else kept * heights[tensor]


def overlap_shift(
    found: Trace, output: int, output_row_bytes: int, source: int, source_row_bytes: int, height: int
) -> int:
    """How far above the start of ``output`` that of ``source`` has to lie so that no needed byte is overwritten.

    Both lie whole, row behind row; ``height`` are the rows of ``source``, one of the trace's ``present`` tensors. Rows
    that a call reads count as needed until it returns.
    """
    shifts = [
        made * output_row_bytes - still[source] * source_row_bytes
        for made, still in found.writes.get(output, ())
        if still[source] < height
    ]
    return max(0, *shifts) if shifts else 0
