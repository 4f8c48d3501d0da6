"""Runs an upload tool: its output line by line as it comes, a time limit, and nothing left running behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyml.errors import BoardError

_LINE_END = re.compile(rb"[\r\n]+")
_PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)?\s?%")
_READ_BYTES = 4096
_KEPT_LINES = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool left: its exit code (negative: the signal that ended it) and the last lines of both streams."""

    code: int
    lines: tuple[str, ...]


def run_tool(
    command: Sequence[str], directory: Path, *, timeout_s: float, on_line: Callable[[str], None] | None = None
) -> Outcome:
    """Runs ``command`` in ``directory`` to its end; ``on_line`` gets every line, also those that end in a bare \\r.

    Raises BoardError where it does not start or takes longer than ``timeout_s``; it is ended then, and when the caller
    is interrupted, with everything it started.
    """
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(
            list(command),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise BoardError(f"{name} does not start: {error.strerror or error}", hint="`tinyml doctor`") from error
    expired = threading.Event()

    def stop() -> None:
        expired.set()
        _kill(process)

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    lines: list[str] = []

    def take(raw: bytes) -> None:
        text = raw.decode("utf-8", errors="replace").rstrip()
        if text:
            lines.append(text)
            del lines[:-_KEPT_LINES]
            if on_line is not None:
                on_line(text)

    with process:
        try:
            assert process.stdout is not None
            pending = b""
            while chunk := os.read(process.stdout.fileno(), _READ_BYTES):
                *complete, pending = _LINE_END.split(pending + chunk)
                for raw in complete:
                    take(raw)
            take(pending)
            code = process.wait()
        except BaseException:
            _kill(process)
            raise
        finally:
            timer.cancel()
    if expired.is_set():
        raise BoardError(
            f"{name} did not end within {timeout_s:g} s and was stopped: the board may hold an incomplete firmware",
            hint="unplug the board, plug it in and flash again; --timeout gives it longer",
        )
    return Outcome(code, tuple(lines))


def percentage(line: str) -> int | None:
    """How far a tool says it is: the last percentage of its line, or None."""
    found = _PERCENT.findall(line)
    return min(int(found[-1]), 100) if found else None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
