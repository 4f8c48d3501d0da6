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
    runs again. ``writes[t]`` lists, for each time rows of t were made, (rows made then, first row of each of
    ``present`` that was still needed).
    """

    capacity: dict[int, int] = field(default_factory=dict)
    passing: set[int] = field(default_factory=set)
    writes: dict[int, list[tuple[int, dict[int, int]]]] = field(default_factory=dict)
    calls: int = 0


class _Run:
    """The state of a segment while it is traced."""

    def __init__(self, nodes: Sequence[Node], heights: Mapping[int, int], present: Sequence[int]) -> None:
        self.nodes = nodes
        self.heights = heights
        self.present = present
        self.calls = [0] * len(nodes)
        self.all_calls = [node.rows.calls for node in nodes]
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
        self.passing = [(t, i, self.readers[t][-1]) for t, i in self.maker.items() if t in self.readers]
        self.trace = Trace()

    def ready(self, i: int) -> bool:
        """Whether node ``i`` has a call left and the rows for it."""
        call = self.calls[i]
        if call == self.all_calls[i]:
            return False
        node = self.nodes[i]
        rows = node.rows
        if node.after is not None:
            wanted = min(self.made[node.output] + rows.count, rows.out_height)
            if self.made[node.after] < wanted:
                return False
        last = call * rows.stride - rows.pad_top + rows.kernel
        return all(self.made[t] >= last or self.made[t] == self.heights[t] for t in node.inputs)

    def needed_from(self, tensor: int) -> int:
        """The first row of ``tensor`` that a later call reads, its height where none does."""
        least = self.heights[tensor]
        for i in self.readers.get(tensor, ()):
            call = self.calls[i]
            if call < self.all_calls[i]:
                rows = self.nodes[i].rows
                first = call * rows.stride - rows.pad_top
                if first < least:
                    least = max(0, first)
        return least

    def make(self, tensor: int, count: int) -> None:
        """``count`` more rows of ``tensor``; the window is moved first where it would be full."""
        made = self.made[tensor]
        held = made - min(self.needed_from(tensor), made) + count
        self.trace.capacity[tensor] = max(self.trace.capacity.get(tensor, 0), held)
        self.made[tensor] = made + count

    def fire(self, i: int) -> None:
        """One call of node ``i``."""
        passed = [
            (tensor, maker, last)
            for tensor, maker, last in self.passing
            if maker < i <= last or self.made[tensor] <= self.needed_from(tensor)
        ]
        self.passing = passed
        node = self.nodes[i]
        finishes = not node.rows.reduces or self.calls[i] == self.all_calls[i] - 1
        most = 1 if node.rows.reduces else node.rows.count
        count = min(most, node.rows.out_height - self.made[node.output]) if finishes else 0
        if count:
            self.make(node.output, count)
            still = {t: self.needed_from(t) for t in self.present}
            self.trace.writes.setdefault(node.output, []).append((self.made[node.output], still))
        self.calls[i] += 1
        self.trace.calls += 1


def trace(nodes: Sequence[Node], heights: Mapping[int, int], present: Sequence[int], fed: int | None = None) -> Trace:
    """Run ``nodes``, in execution order, over the tensors ``present``, which lie whole in memory.

    ``heights`` are rows of every tensor; ``fed`` is the tensor whose rows come one by one, None where none does.
    """
    run = _Run(nodes, heights, present)
    if fed is not None:
        run.made[fed] = 0
    start = len(nodes) - 1
    while True:
        for i in range(start, -1, -1):
            if run.ready(i):
                run.fire(i)
                start = max(run.next_turn.get(nodes[i].output, i), i)
                break
        else:
            if fed is None or run.made[fed] == heights[fed]:
                break
            run.make(fed, 1)
            start = len(nodes) - 1
    unfinished = [i for i, calls in enumerate(run.calls) if calls != run.all_calls[i]]
    assert not unfinished, f"nodes {unfinished} of a segment never had their rows"
    run.trace.passing = {tensor for tensor, _, _ in run.passing}
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
    found: Trace, outputs: Sequence[int], output_row_bytes: int, source: int, source_row_bytes: int, height: int
) -> int:
    """How far above the start of an output that of ``source`` has to lie so that no needed byte is overwritten.

    Both lie whole, row behind row; ``height`` are the rows of ``source``, one of the trace's ``present`` tensors. Rows
    that a call reads count as needed until it returns. ``outputs`` are the output and what is written at its place.
    """
    shifts = [
        made * output_row_bytes - still[source] * source_row_bytes
        for output in outputs
        for made, still in found.writes.get(output, ())
        if still[source] < height
    ]
    return max(0, *shifts) if shifts else 0
