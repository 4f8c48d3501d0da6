"""Memory over time: which buffer holds which bytes of the arena at which step, as data and as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from tinyml.lower.program import Program
from tinyml.plan.planner import Arena, Placement, Plan

MAX_COLUMNS = 100
AXIS_COLUMNS = 10
ROWS = 18
LEGEND_LINES = 12
NAME_COLUMNS = 44
LETTERS = ascii_uppercase + ascii_lowercase + digits
OTHER, FREE = "#", "."
COLOURS = ("blue", "green", "magenta", "cyan", "yellow", "red", "bright_blue", "bright_green", "bright_magenta")


@dataclass(frozen=True, slots=True)
class Bar:
    """A buffer: ``size_bytes`` from ``offset`` on, live from step ``first`` to step ``last``, both included.

    ``kind`` is ``input``, ``output``, ``tensor``, ``rows`` (a tensor of which only some rows are kept) or ``scratch``.
    """

    name: str
    kind: str
    offset: int
    size_bytes: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """The first byte after the buffer."""
        return self.offset + self.size_bytes


@dataclass(frozen=True, slots=True)
class MemoryPicture:
    """The arena over one inference.

    Time runs from -1 (the inputs are filled) over the steps to ``len(steps)`` (the outputs are read); ``steps`` has
    each step's layer and op. ``live_bytes`` has the bytes in use at each time, from -1 on. ``arenas`` are its parts
    by memory region; there are none where all lies in the board's primary RAM.
    """

    arena_bytes: int
    lower_bound_bytes: int
    steps: tuple[tuple[str, str], ...]
    bars: tuple[Bar, ...]
    peak_step: int
    live_bytes: tuple[int, ...]
    arenas: tuple[Arena, ...] = ()

    @property
    def times(self) -> range:
        """All times, from -1 to the number of steps."""
        return range(-1, len(self.steps) + 1)

    @property
    def peak_bytes(self) -> int:
        """The bytes in use at the peak."""
        return self.live_bytes[self.peak_step + 1]

    def when(self, time: int) -> str:
        """``step 3 (block2, CONV_2D)``, or what happens before and after the steps."""
        if time < 0:
            return "the inputs, before step 0"
        if time >= len(self.steps):
            return "the outputs, after the last step"
        layer, op = self.steps[time]
        return f"step {time} ({layer}, {op})"

    def span(self, bar: Bar) -> str:
        """When ``bar`` is live, in words."""
        first = "input" if bar.first < 0 else str(bar.first)
        last = "output" if bar.last >= len(self.steps) else str(bar.last)
        return f"step {first}" if first == last else f"steps {first} to {last}"

    def summary(self) -> str:
        """The picture in a sentence, for those who do not see it."""
        bound = (
            "which is the lower bound"
            if self.arena_bytes == self.lower_bound_bytes
            else f"{self.arena_bytes - self.lower_bound_bytes:,} above the lower bound of {self.lower_bound_bytes:,}"
        )
        where = " and ".join(f"{arena.size_bytes:,} in {arena.region}" for arena in self.arenas)
        return (
            f"arena of {self.arena_bytes:,} bytes{f' ({where})' if where else ''}, {bound}; the peak of"
            f" {self.peak_bytes:,} bytes is at {self.when(self.peak_step)}"
        )

    def region(self, bar: Bar) -> str | None:
        """The memory region that holds ``bar``, None for the board's primary RAM."""
        return next((arena.region for arena in reversed(self.arenas) if arena.start <= bar.offset), None)

    def to_json(self) -> dict[str, Any]:
        """The object under ``memory`` in ``--json``."""
        return {
            "steps": [{"layer": layer, "op": op} for layer, op in self.steps],
            "live_bytes": list(self.live_bytes),
            "buffers": [
                {
                    "name": bar.name,
                    "kind": bar.kind,
                    "region": self.region(bar),
                    "offset": bar.offset,
                    "bytes": bar.size_bytes,
                    "first_step": bar.first,
                    "last_step": bar.last,
                }
                for bar in self.bars
            ],
        }


def memory_picture(program: Program, plan: Plan) -> MemoryPicture:
    """The picture of ``plan``, bars by first step and then by address."""
    end = len(program.steps)
    return MemoryPicture(
        plan.arena_bytes,
        plan.lower_bound_bytes,
        tuple((step.name, step.kind) for step in program.steps),
        tuple(
            Bar(p.buffer.name, _kind(program, p), p.offset, p.buffer.size_bytes, p.buffer.first, p.buffer.last)
            for p in sorted(plan.placements, key=lambda p: (p.buffer.first, p.offset))
        ),
        plan.peak_step,
        tuple(plan.live_bytes(time) for time in range(-1, end + 1)),
        plan.arenas,
    )


def _kind(program: Program, placement: Placement) -> str:
    tensor = placement.buffer.tensor
    if tensor is None:
        return "scratch"
    if placement.buffer.size_bytes < program.graph.tensors[tensor].size_bytes:
        return "rows"
    if tensor in {program.storage(t) for t in program.graph.inputs}:
        return "input"
    return "output" if tensor in {program.storage(t) for t in program.graph.outputs} else "tensor"


def picture_report(picture: MemoryPicture) -> list[RenderableType]:
    """The picture for a terminal, at most :data:`MAX_COLUMNS` wide: letters, coloured where there are colours."""
    letters = _letters(picture.bars)
    grid, columns = _grid(picture)
    lines: list[RenderableType] = [Text(f"memory over time: {picture.summary()}"), Text(_peak_line(picture, columns))]
    for row, cells in enumerate(grid):
        line = Text(_axis_label(picture, row, len(grid)))
        for bar in cells:
            letter = FREE if bar is None else letters.get(bar, OTHER)
            line.append(letter, style="dim" if bar is None else _style(letter))
        lines.append(line)
    lines += [Text(_step_line(columns)), *_legend(picture, letters, {b for cells in grid for b in cells if b})]
    return lines


def _letters(bars: Sequence[Bar]) -> dict[Bar, str]:
    largest = sorted(dict.fromkeys(bars), key=lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first, b.offset))
    chosen = sorted(largest[: len(LETTERS)], key=lambda b: (b.first, b.offset))
    return dict(zip(chosen, LETTERS, strict=False))


def _style(letter: str) -> str:
    if letter == OTHER:
        return "black on white"
    return f"black on {COLOURS[LETTERS.index(letter) % len(COLOURS)]}"


def _columns(picture: MemoryPicture) -> list[range]:
    """The times that each column shows: a step has up to four columns, or a column several steps."""
    width, count = MAX_COLUMNS - AXIS_COLUMNS, len(picture.times)
    if count <= width:
        repeat = min(4, width // count)
        return [range(t, t + 1) for t in picture.times for _ in range(repeat)]
    each = -(-count // width)
    return [range(t, min(t + each, picture.times.stop)) for t in picture.times[::each]]


def _grid(picture: MemoryPicture) -> tuple[list[list[Bar | None]], list[range]]:
    """Rows from the arena's end down to 0, each with the bar that fills most of every cell."""
    columns = _columns(picture)
    rows = max(1, min(ROWS, picture.arena_bytes))
    edges = [picture.arena_bytes * row / rows for row in range(rows + 1)]
    grid = []
    for low, high in reversed(list(pairwise(edges))):
        near = [b for b in picture.bars if b.offset < high and b.end > low]
        grid.append([_fullest(near, column, low, high) for column in columns])
    return grid, columns


def _fullest(bars: Sequence[Bar], column: range, low: float, high: float) -> Bar | None:
    """The bar with the most of the cell; none where less than half of it is in use."""
    shares = []
    for bar in bars:
        steps = min(bar.last, column[-1]) - max(bar.first, column[0]) + 1
        if steps > 0:
            shares.append((steps * (min(bar.end, high) - max(bar.offset, low)), bar.first, bar))
    if 2 * sum(share for share, _, _ in shares) < len(column) * (high - low):
        return None
    return max(shares, key=lambda s: s[:2])[2]


def _axis_label(picture: MemoryPicture, row: int, rows: int) -> str:
    low, high = (picture.arena_bytes * (rows - row - upper) / rows for upper in (1, 0))
    begins = next((a for a in picture.arenas if a.start and low <= a.start < high), None)
    if begins is not None:
        return f"{begins.region[: AXIS_COLUMNS - 2]:>{AXIS_COLUMNS - 2}} +"
    if row == rows - 1:
        return f"{0:>{AXIS_COLUMNS - 2}} |"
    if row % 4 and row:
        return f"{'':>{AXIS_COLUMNS - 2}} |"
    return f"{picture.arena_bytes * (rows - row) // rows:>{AXIS_COLUMNS - 2},} |"


def _peak_line(picture: MemoryPicture, columns: Sequence[range]) -> str:
    place = next(i for i, column in enumerate(columns) if picture.peak_step in column)
    mark = f"peak {picture.peak_bytes:,} at {picture.when(picture.peak_step)}"
    line = " " * (AXIS_COLUMNS + place) + f"v {mark}"
    if len(line) > MAX_COLUMNS:
        line = f"{mark} ".rjust(AXIS_COLUMNS + place) + "v"
    return line if len(line) <= MAX_COLUMNS else f"{line[: MAX_COLUMNS - 3]}..."


def _step_line(columns: Sequence[range]) -> str:
    """The numbers of the steps below their columns, as many as there is room for."""
    line = " " * AXIS_COLUMNS + "in"
    last = columns[-1][-1]
    every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if n * len(columns) >= 5 * (last + 2))
    shown = set()
    for place, column in enumerate(columns):
        found = next((t for t in column if 0 <= t < last and t % every == 0 and t not in shown), None)
        room = AXIS_COLUMNS + len(columns) - len(f"{found} out")
        if found is not None and len(line) < AXIS_COLUMNS + place <= room:
            shown.add(found)
            line = line.ljust(AXIS_COLUMNS + place) + f"{found} "
    return line.ljust(AXIS_COLUMNS + len(columns) - len("out")) + "out"


def _legend(picture: MemoryPicture, letters: dict[Bar, str], shown: set[Bar]) -> list[Text]:
    listed = sorted((b for b in letters if b in shown), key=lambda b: -b.size_bytes)[:LEGEND_LINES]
    lines = []
    for bar in sorted(listed, key=lambda b: letters[b]):
        name = bar.name if len(bar.name) <= NAME_COLUMNS else f"...{bar.name[3 - NAME_COLUMNS :]}"
        line = Text("  ")
        line.append(letters[bar], style=_style(letters[bar]))
        line.append(f"  {name:<{NAME_COLUMNS}} {bar.size_bytes:>9,} bytes at {bar.offset:,}, {picture.span(bar)}")
        lines.append(line)
    if len(picture.bars) > len(listed):
        lines.append(Text(f"  and {len(picture.bars) - len(listed)} smaller buffers; {FREE} is free", style="dim"))
    return lines
