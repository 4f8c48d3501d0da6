"""Bytes as they come, cut into lines: halves of lines kept, endless lines bounded, noise made printable."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LINE_BYTES = 64 << 10
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; ``cut`` is True where what came after :data:`MAX_LINE_BYTES` was thrown away."""

    text: str
    cut: bool = False


class LineSplitter:
    """Cuts a stream of bytes into lines that end in LF, CR LF or CR. Invalid UTF-8 becomes U+FFFD."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._pending = bytearray()
        self._cut = False

    def feed(self, data: bytes) -> list[Line]:
        """The lines that ``data`` completes; empty ones are left out. Memory stays bounded whatever comes."""
        lines = []
        for part in re.split(rb"(?<=[\r\n])", data):
            ends = part.endswith((b"\r", b"\n"))
            content = part.rstrip(b"\r\n")
            room = self._max_line_bytes - len(self._pending)
            self._cut = self._cut or len(content) > room
            self._pending += content[:room]
            if ends:
                lines += self.end()
        return lines

    def end(self) -> list[Line]:
        """What is left where the stream ends, or a line does: one line or none."""
        line = Line(self._pending.decode("utf-8", errors="replace"), self._cut)
        self._pending.clear()
        self._cut = False
        return [line] if line.text else []


def printable(text: str) -> str:
    """``text`` with control characters (terminal escapes among them) spelled out, so that a terminal is not moved."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}" if ord(match[0]) < 256 else "\ufffd", text)
