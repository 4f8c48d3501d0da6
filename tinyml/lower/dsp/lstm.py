"""UNIDIRECTIONAL_SEQUENCE_LSTM on ``tml_lstm_dsp``: the portable step with inputs and state widened in its scratch."""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops import lstm
from tinyml.lower.program import Step, Target


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The step; whole fours of inputs and of state take two bytes each beside the gates."""
    step = lstm.build(graph, op, target)
    inputs, cells = graph.tensor(op.inputs[0]).shape[2], graph.tensor(op.outputs[0]).shape[2]
    wide_bytes = 8 * (inputs // 4 + cells // 4)
    return replace(step, kernel="tml_lstm_dsp", header="tml_lstm_dsp.h", scratch_bytes=step.scratch_bytes + wide_bytes)
