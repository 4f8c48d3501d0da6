"""The detector in integers: the arithmetic that ``firmware_templates/apps/kws/detector.c`` repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml.streaming.settings import FULL_SCALE, DetectorTable

MAX_QUIET = 0xFFFF


@dataclass(frozen=True, slots=True)
class Detection:
    """A word that was announced: after the feature frame of number ``frame``, with a mean score in thousandths."""

    word: str
    score_permille: int
    frame: int
    time_ms: int


class Detector:
    """Sums the scores of the last inferences and announces a word that reaches its limit.

    A word is announced where it has the largest sum of all announced labels (the first of equals), its sum reaches its
    limit, and it last did so at least ``refractory`` inferences ago: while it stays above, it is announced once.
    """

    def __init__(self, table: DetectorTable) -> None:
        self.table = table
        labels = len(table.labels)
        self._history = np.zeros((table.averaged, labels), np.int64)
        self._sums = np.zeros(labels, np.int64)
        self._quiet = [MAX_QUIET] * labels
        self._slot = 0

    @property
    def sums(self) -> tuple[int, ...]:
        """The present sums by label."""
        return tuple(int(value) for value in self._sums)

    def push(self, scores: NDArray[np.int8]) -> tuple[int, int] | None:
        """Take the network's int8 output ``[labels]`` (zero point -128, scale 1/256).

        Gives the announced label's index and its mean score in thousandths, or None.
        """
        codes = scores.astype(np.int64) + 128
        self._sums += codes - self._history[self._slot]
        self._history[self._slot] = codes
        self._slot = (self._slot + 1) % self.table.averaged
        best = -1
        for label, limit in enumerate(self.table.limits):
            if limit and (best < 0 or self._sums[label] > self._sums[best]):
                best = label
        self._quiet = [min(count + 1, MAX_QUIET) for count in self._quiet]
        if best < 0 or self._sums[best] < self.table.limits[best]:
            return None
        announced = self._quiet[best] >= self.table.refractory[best]
        self._quiet[best] = 0
        return (best, self.permille(best)) if announced else None

    def permille(self, label: int) -> int:
        """A label's mean score in thousandths, rounded."""
        full = FULL_SCALE * self.table.averaged
        return (int(self._sums[label]) * 1000 + full // 2) // full
