"""Whether the keyword application computes only the new frames of its window, and how many an inference takes.

An inference is due every stride; where the network streams along time (:mod:`tinyml.lower.streaming`), the stride is
the hop, a multiple of the network's own strides in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyml.boards import Board
from tinyml.errors import UnsupportedError
from tinyml.firmware.kws import core_clock_hz, keyword_model, rhythm_of
from tinyml.graph.ir import Graph
from tinyml.lower.lowering import lower
from tinyml.lower.program import Target
from tinyml.lower.streaming import Streamed, hop_unit, stream
from tinyml.plan.realtime import (
    CYCLES_AN_INSTRUCTION,
    HIGHEST_LOAD,
    LONGEST_STRIDE_MS,
    frame_instructions,
    network_instructions,
)

LEAST_SAVED_PART = 0.05
MOST_LONGER_STRIDE = 2
"""A stride is made so many times longer at most for the sake of strides in time; beyond, fewer layers stream."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The network that takes a hop at a time, or the ``cause`` why each inference takes its whole window."""

    streamed: Streamed | None
    cause: str = ""


def choose_hop(
    graph: Graph, target: Target, board: Board, labels: Sequence[str], manifest: Mapping[str, Any]
) -> Choice:
    """The shortest hop from the model's stride on that streams and leaves the core time, by estimates.

    Raises UsageError where the model is not one that the application can serve.
    """
    model = keyword_model(graph, labels, manifest)
    rhythm, isa = rhythm_of(model.config, board), target.isa.value
    wanted = max(1, round(model.settings.stride_ms / rhythm.hop_ms))
    unit = hop_unit(graph, model.window_frames)
    first = -(-wanted // unit) * unit
    if first > MOST_LONGER_STRIDE * wanted:
        first, unit = wanted, 1
    longest = max(first, min(int(LONGEST_STRIDE_MS / rhythm.hop_ms), model.window_frames - 1))
    whole = network_instructions(lower(graph, target))
    ms = CYCLES_AN_INSTRUCTION[isa] * 1000.0 / core_clock_hz(board)
    frame_ms = frame_instructions(rhythm, isa) * ms
    cause = "no stride leaves the core time"
    for hop in range(first, longest + 1, unit):
        try:
            streamed = stream(graph, hop, model.window_frames)
        except UnsupportedError as error:
            return Choice(None, error.message)
        instructions = network_instructions(lower(graph, target, streamed))
        if instructions > (1 - LEAST_SAVED_PART) * whole:
            layer, why = streamed.hop.ends[0]
            cause = f"computing only what is new would save less than {100 * LEAST_SAVED_PART:.0f} %: {layer}: {why}"
        elif (hop * frame_ms + instructions * ms) / (hop * rhythm.hop_ms) <= HIGHEST_LOAD:
            return Choice(streamed)
    return Choice(None, cause)
