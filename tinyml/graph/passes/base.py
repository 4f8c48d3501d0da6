"""What a pass is: ``match`` finds an op it applies to, ``transform`` gives the graph with that one place rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyml.graph.ir import Graph, Op, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A graph with the maps that passes ask for, made once for all matches against it."""

    graph: Graph
    producers: dict[int, int]
    consumers: dict[int, list[int]]

    @classmethod
    def of(cls, graph: Graph) -> View:
        """The view of a graph."""
        return cls(graph, graph.producers(), graph.consumers())

    def tensor(self, index: int) -> Tensor:
        """Tensor ``index``."""
        return self.graph.tensor(index)

    def producer(self, tensor: int) -> Op | None:
        """The op that writes ``tensor``, None for graph inputs and constants."""
        index = self.producers.get(tensor)
        return None if index is None else self.graph.ops[index]

    def readers(self, tensor: int) -> list[Op]:
        """The ops that read ``tensor``, in execution order."""
        return [self.graph.ops[i] for i in self.consumers.get(tensor, ())]

    def is_output(self, tensor: int) -> bool:
        """Whether ``tensor`` is an output of the graph."""
        return tensor in self.graph.outputs


class GraphPass:
    """One exact rewriting that has to see the whole graph; every tensor that remains keeps its bytes."""

    name: ClassVar[str]

    def match(self, view: View) -> bool:
        """Whether there is anything to rewrite."""
        raise NotImplementedError

    def transform(self, view: View) -> Graph:
        """The graph rewritten, which matched."""
        raise NotImplementedError


class Pass:
    """One exact rewriting: every tensor that remains with a source index holds the bytes it held before.

    Ops are visited from the last to the first, so that what becomes dead goes in the same round, or from the first to
    the last where ``forward``, for passes whose rewriting lets the next op match.
    """

    name: ClassVar[str]
    forward: ClassVar[bool] = False

    def match(self, view: View, op: Op) -> bool:
        """Whether the pass applies at ``op``."""
        raise NotImplementedError

    def transform(self, view: View, op: Op) -> Graph:
        """The graph rewritten at ``op``, which matched."""
        raise NotImplementedError
