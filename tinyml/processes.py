"""Runs tools that may take long: output line by line as it comes, a time limit, nothing left running behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LINE_END = re.compile(rb"[\r\n]+")
_READ_BYTES = 4096
_KEPT_LINES = 20_000


class ExpiredError(Exception):
    """The tool took longer than it may, and was ended with everything it started."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool left: its exit code (negative: the signal that ended it) and the last lines of both streams."""

    code: int
    lines: tuple[str, ...]


def run_watched(
    command: Sequence[str],
    directory: Path,
    *,
    timeout_s: float,
    on_line: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Runs ``command`` in ``directory`` to its end; ``on_line`` gets every line that is not empty, also those that end
    in a bare \\r. When the caller is interrupted, the tool is ended with everything it started.

    Raises:
        OSError: it does not start.
        ExpiredError: it took longer than ``timeout_s`` seconds.
    """
    process = subprocess.Popen(
        list(command),
        cwd=directory,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
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
        raise ExpiredError
    return Outcome(code, tuple(lines))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
