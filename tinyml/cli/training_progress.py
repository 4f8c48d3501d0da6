"""The progress of a training run on stderr: a bar for the batches on a terminal, one line an epoch everywhere."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from tinyml.cli import output


class EpochProgress:
    """A :class:`tinyml.training.fit.Progress` that writes to stderr; says nothing when quiet."""

    def __init__(self) -> None:
        self._console = output.console()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> EpochProgress:
        if self._console.is_terminal and not self._console.quiet:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("preparing data", total=None)
            self._bar.start()
        else:
            output.note("preparing data")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def note(self, message: str) -> None:
        """One line with a remark."""
        if self._bar is not None:
            self._bar.console.print(f"note: {message}", soft_wrap=True)
        else:
            output.note(f"note: {message}")

    def batch(self, epoch: int, done: int, total: int) -> None:
        """``done`` of ``total`` batches of the epoch are through."""
        if self._bar is not None:
            self._bar.update(self._task, description=f"epoch {epoch}", completed=done, total=total)

    def epoch(self, row: dict[str, float], best: bool) -> None:
        """One line with the epoch's figures; a star marks the best so far."""
        shown = [f"{name.replace('_', ' ')} {row[name]:.3f}" for name in row if name.startswith(("train_", "valid"))]
        line = f"epoch {row['epoch']:.0f}{'*' if best else ' '} {row['seconds']:.1f} s  {'  '.join(shown)}"
        if self._bar is not None:
            self._bar.console.print(line, soft_wrap=True)
        else:
            output.note(line)
