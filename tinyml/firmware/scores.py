"""Scores as the firmware prints them: an output byte in 1/10,000, by one multiplication; and whose they are."""

from __future__ import annotations

from collections.abc import Sequence

from tinyml.graph.ir import Tensor

SCORE_UNITS = 10_000
"""Scores are printed with four decimals."""


def score_factor(tensor: Tensor) -> int:
    """The output's scale in 2^-16 of 1/10,000."""
    return round(tensor.scale * SCORE_UNITS * (1 << 16))


def score(tensor: Tensor, output: int) -> float:
    """An output byte as the firmware prints it."""
    return ((output - tensor.zero_point) * score_factor(tensor) + 32768 >> 16) / SCORE_UNITS


def names_of(labels: Sequence[str], count: int) -> tuple[str, ...]:
    """``labels`` where there is one for each of ``count`` scores, else their numbers."""
    return tuple(labels) if len(labels) == count else tuple(str(index) for index in range(count))
