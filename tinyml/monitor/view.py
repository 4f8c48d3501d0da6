"""The live view: what is known of a running board, and how it is drawn."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tinyml.monitor.events import Event, describe
from tinyml.monitor.lines import Line, printable

REFRESHES_PER_S = 8
KEPT_DETECTIONS = 8
KEPT_LINES = 6
MOST_BARS = 16
_BAR_WIDTH = 30
_COUNTS = ("frames", "inferences", "detections", "dropped_frames", "overruns", "stack_used_bytes")


@dataclass
class State:
    """What was learned from the events so far. Scores are 0 to 1, by class; ``load`` is a share of time, 0 to 1."""

    source: str
    facts: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    current: str | None = None
    detections: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_DETECTIONS))
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    counts: dict[str, str] = field(default_factory=dict)
    frame_rate: float | None = None
    load: float | None = None
    connected: bool = True
    received_bytes: int = 0
    _last_status: tuple[float, float] | None = None

    def take(self, event: Event) -> None:
        """Learns from an event; what it does not know goes to the lines."""
        if event.kind == "detection":
            self._take_detection(event)
        elif event.kind == "frame":
            self._take_frame(event)
        elif event.kind in ("status", "start", "done"):
            self._take_status(event)
        else:
            self.lines.append(describe(event))

    def _take_detection(self, event: Event) -> None:
        word, score = event.text("word"), event.number("score")
        self.detections.appendleft(describe(event))
        self.current = word
        if word is not None and score is not None:
            self._score(word, score)

    def _take_frame(self, event: Event) -> None:
        best, score, scores = event.text("class"), event.number("score"), event.fields.get("scores")
        self.current = best
        numbers = (
            [float(value) for value in scores if isinstance(value, int | float)] if isinstance(scores, list) else []
        )
        if best is not None and numbers:
            self.classes[max(range(len(numbers)), key=numbers.__getitem__)] = best
        for index, value in enumerate(numbers[:MOST_BARS]):
            if index in self.classes:
                self.scores.pop(f"class {index}", None)
            self._score(self.classes.get(index, f"class {index}"), value)
        if best is not None and score is not None and not numbers:
            self._score(best, score)
        fps = event.number("fps")
        self.frame_rate = fps if fps is not None else self.frame_rate
        if event.number("frame") is not None:
            self.counts["frames"] = f"{event.number('frame'):.0f}"

    def _take_status(self, event: Event) -> None:
        if event.kind == "start":
            self.facts = {name: str(value) for name, value in event.fields.items() if name != "event"}
            self._last_status = None
        for name in _COUNTS:
            value = event.number(name)
            if value is not None:
                self.counts[name] = f"{value:,.0f}"
        load = event.number("duty") if event.number("duty") is not None else event.number("load")
        self.load = load if load is not None else self.load
        time_ms, frames = event.number("time_ms"), event.number("frames")
        if time_ms is not None and frames is not None:
            if self._last_status is not None and time_ms > self._last_status[0]:
                before_ms, before_frames = self._last_status
                self.frame_rate = 1000.0 * (frames - before_frames) / (time_ms - before_ms)
            self._last_status = (time_ms, frames)

    def _score(self, name: str, value: float) -> None:
        if name in self.scores or len(self.scores) < MOST_BARS:
            self.scores[name] = min(max(value, 0.0), 1.0)


def draw(state: State) -> RenderableType:
    """The state as panels: scores as bars, the last detections, rates and counts, the last other lines."""
    parts: list[RenderableType] = [_heading(state)]
    if state.scores:
        parts.append(Panel(_bars(state), title="scores", title_align="left"))
    if state.detections:
        parts.append(Panel(Text("\n".join(state.detections)), title="detections", title_align="left"))
    if state.counts or state.frame_rate is not None or state.load is not None:
        parts.append(_rates(state))
    if state.lines:
        parts.append(Panel(Text("\n".join(state.lines), style="dim"), title="lines", title_align="left"))
    return Group(*parts)


def _heading(state: State) -> Text:
    where = f"{state.source}: " + ("connected" if state.connected else "waiting for it to come back")
    facts = ", ".join(f"{name} {printable(value)[:60]}" for name, value in list(state.facts.items())[:6])
    text = Text(where, style="bold" if state.connected else "bold red")
    text.append(f", {state.received_bytes:,} bytes, Ctrl-C ends", style="dim")
    return text.append(f"\n{facts}", style="dim") if facts else text


def _bars(state: State) -> Table:
    grid = Table.grid(padding=(0, 1))
    for name, value in state.scores.items():
        style = "bold green" if name == state.current else ""
        grid.add_row(Text(name[:40], style=style), ProgressBar(1.0, value, width=_BAR_WIDTH), Text(f"{value:.3f}"))
    return grid


def _rates(state: State) -> Text:
    shown: list[str] = []
    if state.frame_rate is not None:
        shown.append(f"frame rate {state.frame_rate:.1f}/s")
    if state.load is not None:
        shown.append(f"load {100 * state.load:.1f} %")
    shown += [f"{name.replace('_', ' ')} {value}" for name, value in state.counts.items()]
    lost = any(state.counts.get(name, "0") != "0" for name in ("dropped_frames", "overruns"))
    return Text(", ".join(shown), style="red" if lost else "")


class LiveSink:
    """Draws the state on a terminal, a few times a second; use it as a context."""

    def __init__(
        self, source: str, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state = State(source)
        self._clock, self._drawn_at = clock, float("-inf")
        self._live = Live(
            draw(self.state),
            console=console or Console(),
            auto_refresh=False,
            vertical_overflow="crop",
            transient=False,
        )

    def __enter__(self) -> LiveSink:
        """Starts drawing."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        """Draws once more and gives the terminal back."""
        self._live.update(draw(self.state), refresh=True)
        return self._live.__exit__(kind, error, trace)

    def chunk(self, data: bytes) -> None:
        """Counts the bytes."""
        self.state.received_bytes += len(data)

    def event(self, event: Event) -> None:
        """Learns from the event."""
        self.state.take(event)

    def other(self, line: Line) -> None:
        """Keeps the line among the last ones."""
        self.state.lines.append(printable(line.text)[:200])

    def connection(self, text: str, *, connected: bool) -> None:
        """Keeps whether the port is there."""
        self.state.connected = connected
        self.state.lines.append(text)

    def tick(self) -> None:
        """Draws, but not more than a few times a second."""
        if self._clock() - self._drawn_at >= 1.0 / REFRESHES_PER_S:
            self._drawn_at = self._clock()
            self._live.update(draw(self.state), refresh=True)
