"""The JSON objects that the applications print, one a line, and each as a sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tinyml.monitor.lines import printable

_MAX_SHOWN = 200
_OF_A_RESULT = ("input", "cycles", "us", "output")


@dataclass(frozen=True, slots=True)
class Event:
    """An object with an ``event``: ``kind`` is its value, ``fields`` the whole object."""

    kind: str
    fields: dict[str, Any]

    def number(self, name: str) -> float | None:
        """The field as a number, or None where it is none."""
        value = self.fields.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """The field as text, or None where it is none."""
        value = self.fields.get(name)
        return printable(value)[:_MAX_SHOWN] if isinstance(value, str) else None


def decode(line: str) -> Event | None:
    """The event of a line, or None where the line is none: text, noise, half an object, JSON without ``event``.

    A line that begins with noise (a board that was reset while it printed) is read from its ``{"event"`` on.
    """
    start = line.find('{"event"')
    for text in (line, line[start:] if start > 0 else ""):
        try:
            fields = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
        if isinstance(fields, dict) and isinstance(fields.get("event"), str):
            return Event(fields["event"], fields)
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def names(event: Event) -> tuple[str, ...]:
    """What ``--until`` can wait for: the word detected, the class seen, or the kind of event."""
    found = (event.kind, event.text("word"), event.text("class"))
    return tuple(name for name in found if name is not None)


def describe(event: Event) -> str:
    """The event as one line of text."""
    if event.kind == "detection":
        return f"{_time(event)}{event.text('word') or 'a word'}{_score(event)}"
    if event.kind == "frame":
        number = _short(event.fields.get("frame"))
        return f"frame {number}: {event.text('class') or 'a class'}{_score(event)}{_rate(event)}"
    if event.kind == "result":
        return "result: " + _pairs({key: value for key, value in event.fields.items() if key in _OF_A_RESULT})
    if event.kind == "error" and set(event.fields) == {"event", "message"} and event.text("message"):
        return f"error: {event.text('message')}"
    rest = {key: value for key, value in event.fields.items() if key != "event"}
    return f"{printable(event.kind)[:_MAX_SHOWN]}: {_pairs(rest)}" if rest else printable(event.kind)[:_MAX_SHOWN]


def _time(event: Event) -> str:
    time_ms = event.number("time_ms")
    return "" if time_ms is None else f"{time_ms / 1000:8.2f} s  "


def _score(event: Event) -> str:
    score = event.number("score")
    return "" if score is None else f"  {score:.3f}"


def _rate(event: Event) -> str:
    fps = event.number("fps")
    return "" if fps is None else f"  {fps:.1f} fps"


def _pairs(fields: dict[str, Any]) -> str:
    return ", ".join(f"{printable(key)} {_short(value)}" for key, value in fields.items())[: 4 * _MAX_SHOWN]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    text = printable(text)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
