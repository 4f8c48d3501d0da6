"""What running a segment row by row needs: how many rows of each tensor are held, and when they come and go.

A segment's steps run by one rule, here and in the generated C: of all steps that have the rows they read, the last one
makes its next rows; where none has, the next row is fed. So rows are used as soon as they are there, nothing is made
that is not needed yet, and what is held follows from the shapes alone. A step may wait for another branch besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinyml.lower.program import Rows

LEAST_CALLS = 8
"""Of a node, for its calls to be worth a look whether they repeat."""
LONGEST_REST = 16
"""Calls, in numbers of nodes, after which another one is looked at."""


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
    runs again. ``fronts[t, s]`` are, of all times at which rows of t were made while rows of s, one of ``present``,
    were still needed, those that can matter to :func:`overlap_shift`: (first row of s that was, rows of t made then).
    """

    capacity: dict[int, int] = field(default_factory=dict)
    passing: set[int] = field(default_factory=set)
    fronts: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    calls: int = 0


class _Run:
    """The state of a segment while it is traced.

    ``needed`` is the first row of each tensor that a later call reads, its height where none does. ``held`` are those
    of the tensors that may still turn out to be passing of which rows are there.
    """

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
        self.needed = {t: self._needed_from(t) for t in heights}
        self.passing = {t: (i, self.readers[t][-1]) for t, i in self.maker.items() if t in self.readers}
        self.held: set[int] = set()
        self.given = frozenset(present)
        self.trace = Trace()

    def ready(self, i: int) -> bool:
        """Whether node ``i`` has a call left and the rows for it."""
        call = self.calls[i]
        if call == self.all_calls[i]:
            return False
        node, made = self.nodes[i], self.made
        rows = node.rows
        if node.after is not None:
            wanted = min(made[node.output] + rows.count, rows.out_height)
            if made[node.after] < wanted:
                return False
        last = call * rows.stride - rows.pad_top + rows.kernel
        for tensor in node.inputs:
            there = made[tensor]
            if there < last and there != self.heights[tensor]:
                return False
        return True

    def _needed_from(self, tensor: int) -> int:
        least = self.heights[tensor]
        for i in self.readers.get(tensor, ()):
            call = self.calls[i]
            if call < self.all_calls[i]:
                rows = self.nodes[i].rows
                first = call * rows.stride - rows.pad_top
                if first < least:
                    least = max(0, first)
        return least

    def _weigh(self, tensor: int) -> None:
        """Note whether there are rows of ``tensor``, of which rows were made or read."""
        if tensor in self.passing and self.made[tensor] > self.needed[tensor]:
            self.held.add(tensor)
        else:
            self.held.discard(tensor)

    def make(self, tensor: int, count: int) -> None:
        """``count`` more rows of ``tensor``; the window is moved first where it would be full."""
        made = self.made[tensor]
        held = made - min(self.needed[tensor], made) + count
        self.trace.capacity[tensor] = max(self.trace.capacity.get(tensor, 0), held)
        self.made[tensor] = made + count
        self._weigh(tensor)

    def fire(self, i: int) -> None:
        """One call of node ``i``."""
        for tensor in [t for t in self.held if not self.passing[t][0] < i <= self.passing[t][1]]:
            del self.passing[tensor]
            self.held.remove(tensor)
        node = self.nodes[i]
        rows, output = node.rows, node.output
        finishes = not rows.reduces or self.calls[i] == self.all_calls[i] - 1
        most = 1 if rows.reduces else rows.count
        count = min(most, rows.out_height - self.made[output]) if finishes else 0
        if count:
            self.make(output, count)
            for source in self.present:
                row = self.needed[source]
                if row < self.heights[source]:
                    _push(self.trace.fronts.setdefault((output, source), []), row, self.made[output])
        self.calls[i] += 1
        self.trace.calls += 1
        for tensor in node.inputs:
            self.needed[tensor] = self._needed_from(tensor)
            self._weigh(tensor)

    def advance(self, calls: Sequence[int], rows: Mapping[int, int]) -> None:
        """Take ``calls`` of every node, and ``rows`` of every tensor, for done."""
        self.calls = [n + more for n, more in zip(self.calls, calls, strict=True)]
        self.made = {t: n + rows[t] for t, n in self.made.items()}
        self.needed = {t: self._needed_from(t) for t in self.heights}
        self.trace.calls += sum(calls)
        for tensor in self.made:
            self._weigh(tensor)


class _Periods:
    """Skips what repeats: in the middle of an image all nodes go on as they did one period of strides before.

    Where every node is as far behind what it reads as it was at an earlier call of the same node, all that follows is
    the same again until a tensor or a node comes to its end. Whole periods are left out, but for one: what
    :class:`Trace` reports of two tensors grows by as much in each period, and what is needed of a present one never by
    more than in the period before, so that the extremes are at one of both ends.

    One node is looked at after each of its calls: that of the fewest, or, when it rests, that of the fewest lately.
    """

    def __init__(self, run: _Run) -> None:
        self.run = run
        self._watched = min(enumerate(run.all_calls), key=lambda node: (node[1] < LEAST_CALLS, node[1]))[0]
        self._seen: dict[tuple[int, ...], tuple[list[int], dict[int, int]]] = {}
        self._since = run.calls.copy()
        self._left = LONGEST_REST * len(run.nodes)

    def after(self, i: int) -> None:
        """Node ``i`` has run; where that completes a period, go on near the end."""
        run = self.run
        if i == self._watched:
            state = self._state()
            before, self._seen[state] = self._seen.get(state), (run.calls.copy(), run.made.copy())
            if before is not None and self._skip(*before):
                self._seen.clear()
        self._left -= 1
        if self._left == 0:
            lately = [(now - then, n) for n, (now, then) in enumerate(zip(run.calls, self._since, strict=True))]
            if lately[self._watched][0] == 0:
                self._watched = min(one for one in lately if one[0])[1]
            self._since, self._left = run.calls.copy(), LONGEST_REST * len(run.nodes)

    def _state(self) -> tuple[int, ...]:
        run = self.run
        found = [self._watched]
        for node, call in zip(run.nodes, run.calls, strict=True):
            first = call * node.rows.stride
            found += [first - run.made[t] for t in node.inputs if t not in run.given]
            if node.after is not None:
                found.append(run.made[node.after] - run.made[node.output])
        return tuple(found)

    def _skip(self, calls: list[int], made: dict[int, int]) -> bool:
        """Leave out as many periods as fit, one having led from ``calls`` and ``made`` to here."""
        run = self.run
        gained = [now - then for now, then in zip(run.calls, calls, strict=True)]
        grown = {t: run.made[t] - then for t, then in made.items()}
        room = []
        for i, node in enumerate(run.nodes):
            rows = node.rows
            if gained[i]:
                if calls[i] * rows.stride < rows.pad_top:
                    return False
                least = min(run.heights[t] for t in node.inputs)
                left = least + rows.pad_top - run.calls[i] * rows.stride
                room.append(
                    min((run.all_calls[i] - run.calls[i] - 1) // gained[i], (left - 1) // (gained[i] * rows.stride))
                )
            if grown[node.output]:
                room.append((rows.out_height - rows.count - run.made[node.output]) // grown[node.output])
        room += [(run.heights[t] - 1 - run.made[t]) // grown[t] for t in run.made if grown[t]]
        periods = min(room) - 1
        if periods < 1:
            return False
        run.advance([periods * n for n in gained], {t: periods * n for t, n in grown.items()})
        return True


def _push(front: list[tuple[int, int]], row: int, made: int) -> None:
    """Add a point behind those of ``front``, whose corners alone are kept: where ``a * made - b * row`` is largest.

    Neither ``row`` nor ``made`` ever falls, so this is one step of Andrew's monotone chain.
    """
    if front and front[-1][0] == row:
        front.pop()
    while len(front) > 1:
        (first_row, first_made), (last_row, last_made) = front[-2:]
        if (last_row - first_row) * (made - last_made) < (last_made - first_made) * (row - last_row):
            break
        front.pop()
    front.append((row, made))


def trace(
    nodes: Sequence[Node],
    heights: Mapping[int, int],
    present: Sequence[int],
    fed: int | None = None,
    *,
    every_call: bool = False,
) -> Trace:
    """Run ``nodes``, in execution order, over the tensors ``present``, which lie whole in memory.

    ``heights`` are rows of every tensor; ``fed`` is the tensor whose rows come one by one, None where none does.
    What repeats is left out, which changes nothing in the result, unless ``every_call`` is to be run.
    """
    run = _Run(nodes, heights, present)
    if fed is not None:
        run.made[fed] = 0
    periods = None if every_call else _Periods(run)
    start = len(nodes) - 1
    while True:
        for i in range(start, -1, -1):
            if run.ready(i):
                run.fire(i)
                if periods is not None:
                    periods.after(i)
                start = max(run.next_turn.get(nodes[i].output, i), i)
                break
        else:
            if fed is None or run.made[fed] == heights[fed]:
                break
            run.make(fed, 1)
            start = len(nodes) - 1
    unfinished = [i for i, calls in enumerate(run.calls) if calls != run.all_calls[i]]
    assert not unfinished, f"nodes {unfinished} of a segment never had their rows"
    run.trace.passing = set(run.passing)
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
    found: Trace, outputs: Sequence[int], output_row_bytes: int, source: int, source_row_bytes: int
) -> int:
    """How far above the start of an output that of ``source`` has to lie so that no needed byte is overwritten.

    Both lie whole, row behind row; ``source`` is one of the trace's ``present`` tensors. Rows that a call reads count
    as needed until it returns. ``outputs`` are the output and what is written at its place.
    """
    shifts = [
        made * output_row_bytes - row * source_row_bytes
        for output in outputs
        for row, made in found.fronts.get((output, source), ())
    ]
    return max(0, *shifts) if shifts else 0
