"""Runs an upload tool, and reads off its lines how far it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tinyml.errors import BoardError
from tinyml.processes import ExpiredError, Outcome, run_watched

_PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)?\s?%")


def run_tool(
    command: Sequence[str], directory: Path, *, timeout_s: float, on_line: Callable[[str], None] | None = None
) -> Outcome:
    """Runs ``command`` in ``directory`` to its end; ``on_line`` gets every line, also those that end in a bare \\r.

    Raises BoardError where it does not start or takes longer than ``timeout_s``; it is ended then, and when the caller
    is interrupted, with everything it started.
    """
    name = Path(command[0]).name
    try:
        return run_watched(command, directory, timeout_s=timeout_s, on_line=on_line)
    except OSError as error:
        raise BoardError(f"{name} does not start: {error.strerror or error}", hint="`tinyml doctor`") from error
    except ExpiredError as error:
        raise BoardError(
            f"{name} did not end within {timeout_s:g} s and was stopped: the board may hold an incomplete firmware",
            hint="unplug the board, plug it in and flash again; --timeout gives it longer",
        ) from error


def percentage(line: str) -> int | None:
    """How far a tool says it is: the last percentage of its line, or None."""
    found = _PERCENT.findall(line)
    return min(int(found[-1]), 100) if found else None
