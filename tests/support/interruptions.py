"""Ctrl-C at a chosen batch of a training."""

from __future__ import annotations

import signal


class InterruptAt:
    """A :class:`tinyml.training.fit.Progress` that sends SIGINT to this process, as Ctrl-C does.

    A run may train several times: ``phase`` counts its first batches, so that 2 is the second training.
    """

    def __init__(self, epoch: int = 2, batch: int = 1, *, phase: int = 1) -> None:
        self.place = (phase, epoch, batch)
        self.phase = 0
        self.rows: list[dict[str, float]] = []

    def note(self, message: str) -> None:
        """Nothing to say."""

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Interrupt at the chosen batch."""
        self.phase += (epoch, done) == (1, 1)
        if (max(self.phase, 1), epoch, done) == self.place:
            signal.raise_signal(signal.SIGINT)

    def epoch(self, row: dict[str, float], best: bool) -> None:
        """Remember the epoch."""
        self.rows.append(row)
