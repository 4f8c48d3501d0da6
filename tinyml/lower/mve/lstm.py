"""UNIDIRECTIONAL_SEQUENCE_LSTM on ``tml_lstm_mve``: the portable step with vectors of sixteen products in its place."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops import lstm
from tinyml.lower.program import Step, Target


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step."""
    return replace(lstm.build(graph, op, target), kernel="tml_lstm_mve", header="tml_lstm_mve.h")
