"""The proof of a network that streams along time: windows one behind the other, hop by hop, compared where whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyml.emulate.stimuli import Stimulus
from tinyml.graph.ir import Graph
from tinyml.lower.program import Hop


@dataclass(frozen=True, slots=True, eq=False)
class HopStimulus:
    """The next rows of the input as ``content``, and the window that ends with them, None before one is whole."""

    content: bytes
    window: Stimulus | None


def hop_stimuli(graph: Graph, hop: Hop, windows: Sequence[Stimulus]) -> list[HopStimulus]:
    """``windows``, inputs of the whole ``graph``, one behind the other as hops; each ends with one.

    Where a window is no whole number of hops, rows of its first value come before it.
    """
    lead = -hop.window_rows % hop.rows
    rows = [w.arrays[0].reshape(hop.window_rows, -1) for w in windows]
    stretch = np.concatenate([part for window in rows for part in (np.repeat(window[:1], lead, axis=0), window)])
    shape = graph.tensors[graph.inputs[0]].shape
    each, found = (lead + hop.window_rows) // hop.rows, []
    for at in range(hop.rows, len(stretch) + 1, hop.rows):
        number, behind = divmod(at // hop.rows - 1, each)
        name = f"{windows[number].name}, hop {behind + 1} of {each}"
        seen = stretch[at - hop.window_rows : at] if at >= hop.window_rows else None
        window = None if seen is None else Stimulus(name, (seen.reshape(shape),))
        found.append(HopStimulus(stretch[at - hop.rows : at].tobytes(), window))
    return found


def ends_of_windows(hop: Hop, count: int) -> list[int]:
    """After which hop each of ``count`` windows of :func:`hop_stimuli` is whole."""
    each = -(-hop.window_rows // hop.rows)
    return [(number + 1) * each - 1 for number in range(count)]
