"""One monitoring session: reads, decodes, hands on, reconnects, and ends when it should."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from tinyml.errors import BoardError
from tinyml.monitor.events import Event, decode, names
from tinyml.monitor.lines import Line, LineSplitter
from tinyml.monitor.sources import EndOfInput, Gone, Returning, Source, wait_for_return


class Sink(Protocol):
    """What is done with what comes."""

    def chunk(self, data: bytes) -> None:
        """Bytes, as they came."""

    def event(self, event: Event) -> None:
        """A decoded line."""

    def other(self, line: Line) -> None:
        """A line that is no event."""

    def connection(self, text: str, *, connected: bool) -> None:
        """The port went away or came back."""

    def tick(self) -> None:
        """A tenth of a second passed, or something came."""


@dataclass(frozen=True, slots=True)
class Options:
    """When a session ends: after ``seconds``, when a word (class, kind of event) ``until`` comes, when the port goes.

    None never ends it; with ``reconnect`` a port that goes is waited for.
    """

    seconds: float | None = None
    until: str | None = None
    reconnect: bool = True


def follow(returning: Returning, sink: Sink, options: Options) -> None:
    """Follows the source until it ends, the time is over or what ``until`` names came.

    Raises BoardError where the source does not open or goes for good, and where ``until`` names something that did not
    come in time.
    """
    deadline = None if options.seconds is None else time.monotonic() + options.seconds
    source = returning.open()
    splitter = LineSplitter()
    try:
        while deadline is None or time.monotonic() < deadline:
            try:
                data = source.read()
            except EndOfInput:
                if _take(splitter.end(), sink, options.until):
                    return
                break
            except Gone as gone:
                if _take(splitter.end(), sink, options.until):
                    return
                again = _reconnect(source, returning, sink, options, gone, deadline)
                if again is None:
                    break
                source = again
                continue
            if data:
                sink.chunk(data)
                if _take(splitter.feed(data), sink, options.until):
                    return
            sink.tick()
        else:
            if _take(splitter.end(), sink, options.until):
                return
    finally:
        source.close()
        sink.tick()
    if options.until is not None:
        within = "before the input ended" if options.seconds is None else f"within {options.seconds:g} s"
        raise BoardError(
            f"{options.until!r} did not come {within}", hint="--for gives it longer; --raw shows what did come"
        )


def _take(lines: list[Line], sink: Sink, until: str | None) -> bool:
    """Hands the lines on; True as soon as one brings what ``until`` names."""
    for line in lines:
        event = None if line.cut else decode(line.text)
        if event is None:
            sink.other(line)
            continue
        sink.event(event)
        if until is not None and until in names(event):
            return True
    return False


def _reconnect(
    source: Source, returning: Returning, sink: Sink, options: Options, gone: Gone, deadline: float | None
) -> Source | None:
    source.close()
    if not options.reconnect or not source.can_return:
        raise BoardError(f"{source.name} is gone: {gone}", hint="plug the board in again; --reconnect waits for it")
    sink.connection(f"{source.name} is gone; waiting for it to come back", connected=False)
    sink.tick()
    again = wait_for_return(returning, deadline)
    if again is not None:
        sink.connection(f"{again.name} is back", connected=True)
    return again
