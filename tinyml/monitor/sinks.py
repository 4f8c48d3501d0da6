"""What the monitor prints where there is no live view: the bytes themselves, sentences, or JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import BinaryIO, TextIO

from tinyml.monitor.events import Event, describe
from tinyml.monitor.lines import Line, printable


class Quiet:
    """Does nothing with anything; the others override what they print. ``say`` gets notes on the connection."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def connection(self, text: str, *, connected: bool) -> None:
        """The port went away or came back: said on stderr."""
        self._say(text)

    def chunk(self, data: bytes) -> None:
        """Bytes, as they came."""

    def event(self, event: Event) -> None:
        """A decoded line."""

    def other(self, line: Line) -> None:
        """A line that is no event."""

    def tick(self) -> None:
        """A tenth of a second passed, or something came."""


class RawSink(Quiet):
    """The bytes exactly as they came, at once."""

    def __init__(self, say: Callable[[str], None], stream: BinaryIO | None = None) -> None:
        super().__init__(say)
        self._stream = stream or sys.stdout.buffer

    def chunk(self, data: bytes) -> None:
        """Writes the bytes and flushes."""
        self._stream.write(data)
        self._stream.flush()


class PlainSink(Quiet):
    """One sentence an event; other lines as they are, control characters spelled out."""

    def __init__(self, say: Callable[[str], None], stream: TextIO | None = None) -> None:
        super().__init__(say)
        self._stream = stream or sys.stdout

    def event(self, event: Event) -> None:
        """Prints the sentence."""
        self._print(describe(event))

    def other(self, line: Line) -> None:
        """Prints the line."""
        self._print(printable(line.text) + (" …" if line.cut else ""))

    def _print(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class JsonSink(PlainSink):
    """One JSON object a line: events as the board sent them, every other line as ``{"event": "line", "text": …}``."""

    def event(self, event: Event) -> None:
        """Prints the object in one line."""
        try:
            text = json.dumps(event.fields, allow_nan=False)
        except ValueError:  # a number such as 1e999, which JSON can write but no float can hold
            text = json.dumps({"event": "line", "text": describe(event)})
        self._print(text)

    def other(self, line: Line) -> None:
        """Prints the line as an object."""
        self._print(json.dumps({"event": "line", "text": line.text} | ({"cut": True} if line.cut else {})))
