"""A host for MLPerf Tiny's device, written from the protocol of its public runner, over any file descriptor."""

from __future__ import annotations

import os
import re
import select
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

BYTES_A_COMMAND = 31
REPLY_TIMEOUT_S = 30.0
_RESULTS = re.compile(r"^m-results-\[([^]]+)\]$")
_LAP = re.compile(r"^m-lap-us-([0-9]+)$")


class Line(Protocol):
    """Both directions of a serial line."""

    def send(self, data: bytes) -> None:
        """Sends all of ``data``."""

    def receive(self, timeout_s: float) -> bytes:
        """What has come, at least a byte; empty where nothing came in time."""


@dataclass(slots=True)
class DescriptorLine:
    """A serial line behind a file descriptor that reads and writes."""

    read_from: int
    write_to: int

    def send(self, data: bytes) -> None:
        """Sends all of ``data``."""
        while data:
            data = data[os.write(self.write_to, data) :]

    def receive(self, timeout_s: float) -> bytes:
        """What has come; empty where nothing came in time."""
        ready, _, _ = select.select([self.read_from], [], [], timeout_s)
        return os.read(self.read_from, 65536) if ready else b""


@dataclass(frozen=True, slots=True)
class Inference:
    """What an ``infer`` gave: its results, and the microseconds between the two marks of time."""

    results: npt.NDArray[np.float64]
    elapsed_us: int | None


class Client:
    """Speaks with the device as the benchmark's runner does: one command, then lines up to the one with ``m-ready``."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._pending = b""

    def lines(self, timeout_s: float = REPLY_TIMEOUT_S) -> list[str]:
        """The lines of one reply, its ``m-ready`` left out."""
        found: list[str] = []
        deadline = time.monotonic() + timeout_s
        while True:
            while b"\n" in self._pending:
                line, self._pending = self._pending.split(b"\n", 1)
                text = line.decode("ascii").strip("\r\0")
                if "m-ready" in text:
                    return found
                found.append(text)
            received = self._line.receive(max(0.0, deadline - time.monotonic()))
            if not received:
                raise TimeoutError(f"no m-ready within {timeout_s:.0f} s; got {found} and {self._pending!r}")
            self._pending += received

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._line.send(data)

    def command(self, text: str, timeout_s: float = REPLY_TIMEOUT_S) -> list[str]:
        """Sends a command and gives the lines of its reply."""
        self.send(text.encode("ascii") + b"%")
        return self.lines(timeout_s)

    def name(self) -> str:
        """The device's name."""
        return self._matched("name", r"^m-name-dut-\[([^]]+)]$")

    def model(self) -> str:
        """The model's name, by which the runner chooses its test."""
        return self._matched("profile", r"^m-model-\[([^]]+)]$")

    def profile(self) -> str:
        """The benchmark's name."""
        return self._matched("profile", r"^m-profile-\[([^]]+)]$")

    def load(self, data: bytes) -> None:
        """Loads one input, at most 31 bytes a command."""
        assert self.command(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        reply: list[str] = []
        for at in range(0, len(data), BYTES_A_COMMAND):
            assert reply == []
            reply = self.command("db " + data[at : at + BYTES_A_COMMAND].hex())
        assert reply == ["m-load-done"]

    def infer(self, iterations: int, warmups: int) -> Inference:
        """Runs the network on what was loaded."""
        reply = self.command(f"infer {iterations} {warmups}")
        laps = [int(found[1]) for line in reply if (found := _LAP.match(line))]
        results = [found[1] for line in reply if (found := _RESULTS.match(line))]
        others = [line for line in reply if not _LAP.match(line) and not _RESULTS.match(line)]
        assert others == [
            f"m-warmup-start-{warmups}", "m-warmup-done", f"m-infer-start-{iterations}", "m-infer-done",
        ]  # fmt: skip
        assert len(results) == 1 and reply[-1].startswith("m-results-") and len(laps) in (0, 2)
        values = np.array([float(value) for value in results[0].split(",")])
        return Inference(values, laps[1] - laps[0] if laps else None)

    def _matched(self, command: str, pattern: str) -> str:
        found = [match[1] for line in self.command(command) if (match := re.match(pattern, line))]
        assert len(found) == 1, f"{command} did not answer {pattern}"
        return found[0]
