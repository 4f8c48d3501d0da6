"""The memory of steps that run together row by row: windows, rows that only pass through, outputs over inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from tinyml.lower.program import Blocks, Program, Step
from tinyml.plan.rowsim import Node, Trace, overlap_shift, trace


def row_bytes(program: Program, tensor: int) -> int:
    """Bytes of one row of ``tensor``, [1, height, width, channels]."""
    found = program.graph.tensors[tensor]
    return found.size_bytes // found.shape[1]


def height(program: Program, tensor: int) -> int:
    """Rows of ``tensor``."""
    return program.graph.tensors[tensor].shape[1]


@dataclass(frozen=True)
class Segment:
    """Steps ``first`` to ``last`` of a program, which run row by row.

    ``inside`` are the tensors that never exist whole: made and read in the segment only, the rows of a fed input among
    them. ``sources`` lie whole and are read by rows, ``results`` are made here and lie whole afterwards.
    """

    program: Program
    first: int
    last: int
    readers: Mapping[int, tuple[int, ...]] | None = field(default=None, compare=False)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The segment's steps."""
        return self.program.steps[self.first : self.last + 1]

    @cached_property
    def eager(self) -> tuple[Node, ...]:
        """The steps as the trace sees them where none waits for another branch."""
        found = []
        for step in self.steps:
            assert step.rows is not None
            found.append(Node(step.rows, tuple(step.inputs[p] for p in step.rows.positions), step.outputs[0]))
        return tuple(found)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The steps as the trace sees them; short branches wait for long ones where that takes less memory."""
        waiting = _waiting(self.eager)
        if waiting == self.eager:
            return self.eager
        return min((self.eager, waiting), key=self._held_bytes)

    def _held_bytes(self, nodes: tuple[Node, ...]) -> int:
        found = self._trace_of(nodes)
        size = {t: n * row_bytes(self.program, t) for t, n in found.capacity.items() if t in self.inside}
        passing = [size[t] for t in size if t in found.passing and t != self.fed]
        return sum(size.values()) - sum(passing) + max(passing, default=0)

    @cached_property
    def fed(self) -> int | None:
        """The network's input where its rows come one by one, None where it lies whole or another segment reads it."""
        if not self.program.fed_by_rows or self.first != 0:
            return None
        return self.program.graph.inputs[0]

    @cached_property
    def made(self) -> frozenset[int]:
        """Tensors that the segment makes."""
        return frozenset(node.output for node in self.eager)

    @cached_property
    def inside(self) -> frozenset[int]:
        """See the class."""
        readers = readers_of(self.program) if self.readers is None else self.readers
        kept = {self.program.storage(t) for t in self.program.graph.outputs}
        return frozenset(
            t
            for t in (*self.made, *self._fed)
            if t not in kept and all(self.first <= i <= self.last for i in readers.get(t, ()))
        )

    @property
    def _fed(self) -> tuple[int, ...]:
        return () if self.fed is None else (self.fed,)

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """See the class."""
        read = dict.fromkeys(t for node in self.eager for t in node.inputs)
        return tuple(t for t in read if t not in self.made and t != self.fed)

    @cached_property
    def results(self) -> tuple[int, ...]:
        """See the class."""
        return tuple(node.output for node in self.nodes if node.output not in self.inside)

    @cached_property
    def heights(self) -> dict[int, int]:
        """Rows of every tensor that is read by rows or made."""
        read = {t for node in self.eager for t in node.inputs}
        return {t: height(self.program, t) for t in read} | {n.output: n.rows.out_height for n in self.eager}

    @cached_property
    def trace(self) -> Trace:
        """What running the segment needs."""
        return self._trace_of(self.nodes)

    @cached_property
    def _traces(self) -> dict[tuple[Node, ...], Trace]:
        return {}

    def _trace_of(self, nodes: tuple[Node, ...]) -> Trace:
        if nodes not in self._traces:
            self._traces[nodes] = _trace_alike(nodes, self.heights, self.sources, self.fed)
        return self._traces[nodes]

    @cached_property
    def in_windows(self) -> dict[int, int]:
        """Passing tensors whose rows lie in the window that their maker reads, over the rows that die with the call.

        The maker may work in place, is the window's only reader and frees as many bytes as it makes. At the top border,
        where padding stands for rows, the window has room behind its rows.
        """
        found = {}
        for step, node in zip(self.steps, self.nodes, strict=True):
            if len(node.inputs) != 1 or node.rows.reduces:
                continue
            window, rows = node.inputs[0], node.rows
            free_rows = 1 if rows.pad_top else rows.stride
            fits = rows.count * row_bytes(self.program, node.output) <= free_rows * row_bytes(self.program, window)
            if (
                (rows.positions[0], 0) in step.in_place
                and fits
                and window in self.inside
                and not self.is_passing(window)
                and node.output in self.inside
                and self.is_passing(node.output)
                and self.trace.capacity[window] == rows.kernel
                and sum(window in other.inputs for other in self.nodes) == 1
                and self._at_once(node.output, rows.count)
            ):
                found[node.output] = window
        return found

    @cached_property
    def in_results(self) -> dict[int, int]:
        """Passing tensors whose rows lie where their only reader, which works in place, makes the rows of a result."""
        found: dict[int, int] = {}
        for step, node in zip(self.steps, self.nodes, strict=True):
            if node.output in self.inside or node.rows.reduces:
                continue
            for position, tensor in zip(node.rows.positions, node.inputs, strict=True):
                alike = (
                    tensor in self.inside
                    and self.is_passing(tensor)
                    and tensor not in self.in_windows
                    and row_bytes(self.program, tensor) == row_bytes(self.program, node.output)
                    and self._at_once(tensor, node.rows.count)
                )
                if alike and (position, 0) in step.in_place and node.output not in found.values():
                    found[tensor] = node.output
        return found

    def _at_once(self, tensor: int, count: int) -> bool:
        """Whether ``tensor`` has one reader, which takes all that was made at once, ``count`` rows."""
        readers = [node.rows for node in self.nodes if tensor in node.inputs]
        made = next(node.rows.count for node in self.nodes if node.output == tensor)
        return len(readers) == 1 and readers[0].kernel == readers[0].stride == made == count

    @cached_property
    def hosted(self) -> dict[int, int]:
        """Tensors inside without a buffer of their own, and the tensors in whose buffers their rows lie."""
        return self.in_windows | self.in_results

    def is_passing(self, tensor: int) -> bool:
        """Whether the rows of a tensor inside are there only from its maker to its last reader."""
        return tensor in self.trace.passing and tensor != self.fed

    def window_rows(self, tensor: int) -> int:
        """Rows of a tensor inside for which there is room."""
        return self.trace.capacity[tensor]

    def window_bytes(self, tensor: int) -> int:
        """Bytes of the room for a tensor inside."""
        return self.window_rows(tensor) * row_bytes(self.program, tensor)

    def lifetime(self, tensor: int) -> tuple[int, int]:
        """The first and the last step of the program at which a tensor inside is in memory."""
        if not self.is_passing(tensor):
            return self.first, self.last
        touched = [i for i, node in enumerate(self.nodes) if tensor == node.output or tensor in node.inputs]
        return self.first + touched[0], self.first + touched[-1]

    def shift(self, source: int, result: int) -> int | None:
        """Bytes by which ``source`` has to lie above ``result`` where it may be overwritten by it.

        None where not: both are read and made by rows, one behind the other, and do not share an owner.
        """
        if self.program.alias_of.get(source) is not None or result in self.program.alias_of:
            return None
        if any(source in step.inputs and source not in node.inputs for step, node in self._pairs):
            return None
        if any(self.program.alias_of.get(t) == source for step in self.steps for t in step.inputs):
            return None
        node = next(n for n in self.nodes if n.output == result)
        if node.rows.reduces:
            return None
        readers = [n for n in self.nodes if source in n.inputs]
        if readers == [node] and node.rows.blocks is not None and node.rows.count == 1 and not self.in_results:
            return self._blockwise_shift(node, node.rows.blocks, source, result)
        written = (result, *(t for t, host in self.in_results.items() if host == result))
        result_row_bytes, source_row_bytes = (row_bytes(self.program, t) for t in (result, source))
        return overlap_shift(self.trace, written, result_row_bytes, source, source_row_bytes)

    def _blockwise_shift(self, node: Node, blocks: Blocks, source: int, result: int) -> int:
        """The same where the step that reads the source makes the result, block by block along each row.

        A block is written when its part of the input has been read, so that the inputs from the next block's first on
        are still needed, and after the last block those of the next row.
        """
        tensors, rows = self.program.graph.tensors, node.rows
        _, _, width, channels = tensors[result].shape
        _, _, in_width, depth = tensors[source].shape
        worst = 0
        for row in range(rows.out_height):
            first = max(0, row * rows.stride - rows.pad_top) * in_width * depth
            for end in range(blocks.pixels, width, blocks.pixels):
                needed = first + max(0, end * blocks.stride - blocks.pad_left) * depth
                worst = max(worst, (row * width + end) * channels - needed)
            following = max(0, (row + 1) * rows.stride - rows.pad_top) * in_width * depth
            if row + 1 < rows.out_height:
                worst = max(worst, (row + 1) * width * channels - following)
        return worst

    @property
    def _pairs(self) -> zip[tuple[Step, Node]]:
        return zip(self.steps, self.nodes, strict=True)


def _waiting(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """``nodes`` with those that wait: the maker of one input of a join which reads what others read as well.

    Of a join of two tensors made in the segment one at most waits for the other, the one with the smaller kernel.
    """
    maker = {node.output: i for i, node in enumerate(nodes)}
    reads = [t for node in nodes for t in node.inputs]
    after: dict[int, int] = {}
    for join in nodes:
        branches = [t for t in join.inputs if t in maker]
        if len(branches) != 2 or any(reads.count(t) != 1 for t in branches):
            continue
        short, long = sorted(branches, key=lambda t: (nodes[maker[t]].rows.kernel, -maker[t]))
        forks = any(reads.count(t) > 1 for t in nodes[maker[short]].inputs)
        same = nodes[maker[short]].rows.count == nodes[maker[long]].rows.count
        if forks and same:
            after[maker[short]] = long
    return tuple(replace(node, after=after.get(i)) for i, node in enumerate(nodes))


def readers_of(program: Program) -> dict[int, tuple[int, ...]]:
    """The steps that read each storage tensor."""
    found: dict[int, list[int]] = {}
    for index, step in enumerate(program.steps):
        for tensor in step.inputs:
            found.setdefault(program.storage(tensor), []).append(index)
    return {t: tuple(indices) for t, indices in found.items()}


def _trace_alike(
    nodes: tuple[Node, ...], heights: Mapping[int, int], sources: tuple[int, ...], fed: int | None
) -> Trace:
    """The trace of ``nodes``; repeated blocks of a network, which differ in the tensors' numbers only, share one."""
    tensors = tuple(dict.fromkeys(t for node in nodes for t in (*node.inputs, node.output)))
    place = {t: i for i, t in enumerate(tensors)}
    alike = tuple(
        replace(
            node,
            inputs=tuple(place[t] for t in node.inputs),
            output=place[node.output],
            after=None if node.after is None else place[node.after],
        )
        for node in nodes
    )
    present = tuple(place[t] for t in sources)
    found = _trace_once(alike, tuple(heights[t] for t in tensors), present, None if fed is None else place[fed])
    return Trace(
        capacity={tensors[t]: rows for t, rows in found.capacity.items()},
        passing={tensors[t] for t in found.passing},
        fronts={(tensors[t], tensors[s]): front for (t, s), front in found.fronts.items()},
        calls=found.calls,
    )


@lru_cache(maxsize=4096)
def _trace_once(nodes: tuple[Node, ...], heights: tuple[int, ...], present: tuple[int, ...], fed: int | None) -> Trace:
    return trace(nodes, dict(enumerate(heights)), present, fed)


@lru_cache(maxsize=32)
def segments_of(program: Program) -> tuple[Segment, ...]:
    """The program's segments."""
    return tuple(Segment(program, first, last) for first, last in program.segments)
