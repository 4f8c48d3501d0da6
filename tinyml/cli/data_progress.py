"""A bar on stderr for downloads, unpacking and decoding; nothing where stderr is no terminal or when quiet."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from tinyml.cli import output


class DownloadProgress:
    """One bar that follows whatever is being done."""

    def __init__(self) -> None:
        self._console = output.console()
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> DownloadProgress:
        if self._console.is_terminal and not self._console.quiet:
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` are through, in bytes or in files; a total of 0 is unknown."""
        if self._bar is None:
            return
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total or None)
        self._bar.update(self._tasks[what], completed=done, total=total or None)
