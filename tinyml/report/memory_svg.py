"""Memory over time as SVG: a bar a buffer, by address and step, with the peak marked; colours come from the page."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from tinyml.report.memory_picture import Bar, MemoryPicture

WIDTH, HEIGHT = 1000, 460
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 44, 48
PALETTE = 8
LETTER_WIDTH = 6.6
ADDRESS_TICKS = 5
STEP_LABEL_WIDTH = 34

STYLE = """
.memory { --ink: #1d2733; --faint: #8792a0; --grid: #d8dee6; --peak: #c22f2f; --paper: #ffffff; }
@media (prefers-color-scheme: dark) {
  .memory { --ink: #e3e8ee; --faint: #8b97a6; --grid: #38424e; --peak: #ff7a70; --paper: #161b22; }
}
.memory text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.memory .inside { font-size: 11px; fill: #10161d; pointer-events: none; }
.memory .axis { stroke: var(--faint); }
.memory .grid { stroke: var(--grid); }
.memory .bound { stroke: var(--faint); stroke-dasharray: 6 4; }
.memory .region { stroke: var(--ink); stroke-width: 1.5; }
.memory .peak { fill: none; stroke: var(--peak); stroke-width: 2; pointer-events: none; }
.memory .peak-name { fill: var(--peak); font-weight: 600; }
.memory .bar { stroke: var(--paper); stroke-width: 1; }
.memory .bar:hover, .memory .bar:focus { stroke: var(--ink); stroke-width: 2; outline: none; }
.memory .scratch { fill-opacity: 0.55; stroke: var(--ink); stroke-dasharray: 3 2; }
.memory .rows { stroke: var(--ink); }
.memory .c0 { fill: #7fb2e5; } .memory .c1 { fill: #f2b872; } .memory .c2 { fill: #8fcf9b; }
.memory .c3 { fill: #e79aa8; } .memory .c4 { fill: #b8a5e3; } .memory .c5 { fill: #78cfc9; }
.memory .c6 { fill: #d8c76a; } .memory .c7 { fill: #c3ab96; }
""".strip()


def memory_svg(picture: MemoryPicture, *, name: str = "memory", style: bool = True) -> str:
    """An ``<svg>`` element, well-formed XML by itself; ``style`` puts the style sheet into it.

    ``name`` begins its ids, which have to be unique in a page.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="memory" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f" aria-labelledby={quoteattr(f'{name}-title {name}-about')}>",
        f"<title id={quoteattr(f'{name}-title')}>Memory over time</title>",
        f"<desc id={quoteattr(f'{name}-about')}>{escape(picture.summary())}</desc>",
    ]
    if style:
        parts.append(f"<style>{STYLE}</style>")
    parts += _axes(picture)
    parts += [_bar(picture, bar, index) for index, bar in enumerate(picture.bars)]
    parts += [*_bounds(picture), *_regions(picture), *_peak(picture), "</svg>"]
    return "\n".join(parts)


def _x(picture: MemoryPicture, time: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (time + 1) / len(picture.times)


def _y(picture: MemoryPicture, address: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * address / max(picture.arena_bytes, 1)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle", kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{marked}>{escape(text)}</text>'


def _axes(picture: MemoryPicture) -> list[str]:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in range(ADDRESS_TICKS + 1):
        address = picture.arena_bytes * tick // ADDRESS_TICKS
        y = _y(picture, address)
        parts += [_line("grid", LEFT, y, right, y), _text(LEFT - 8, y + 4, f"{address:,}", anchor="end")]
    parts += [_line("axis", LEFT, TOP, LEFT, floor), _line("axis", LEFT, floor, right, floor)]
    steps = len(picture.steps)
    step_width = (right - LEFT) / len(picture.times)
    every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if n * step_width >= STEP_LABEL_WIDTH)
    for time in (-1, *range(0, steps, every), steps):
        label = "in" if time < 0 else "out" if time == steps else str(time)
        if time < 0 or time == steps or (time + 1) * step_width >= STEP_LABEL_WIDTH / 2 <= (steps - time) * step_width:
            parts.append(_text(_x(picture, time + 0.5), floor + 16, label))
    parts.append(_text((LEFT + right) / 2, HEIGHT - 10, "step"))
    parts.append(_text(LEFT, 14, "bytes of the arena", anchor="start"))
    return parts


def _peak(picture: MemoryPicture) -> list[str]:
    x, end = _x(picture, picture.peak_step), _x(picture, picture.peak_step + 1)
    middle = (x + end) / 2
    label = f"peak {picture.peak_bytes:,} bytes at {picture.when(picture.peak_step)}"
    anchor = "start" if middle < WIDTH / 3 else "end" if middle > 2 * WIDTH / 3 else "middle"
    return [
        f'<rect class="peak" x="{x:.1f}" y="{TOP - 8}" width="{end - x:.1f}" height="{HEIGHT - TOP - BOTTOM + 8}"/>',
        _text(middle, TOP - 14, label, anchor=anchor, kind="peak-name"),
    ]


def _bounds(picture: MemoryPicture) -> list[str]:
    if picture.lower_bound_bytes >= picture.arena_bytes:
        return []
    y = _y(picture, picture.lower_bound_bytes)
    label = f"lower bound {picture.lower_bound_bytes:,}"
    return [_line("bound", LEFT, y, WIDTH - RIGHT, y), _text(WIDTH - RIGHT, y + 14, label, anchor="end")]


def _regions(picture: MemoryPicture) -> list[str]:
    parts = []
    for arena in picture.arenas:
        y = _y(picture, arena.start)
        parts += [_line("region", LEFT, y, WIDTH - RIGHT, y)] if arena.start else []
        parts.append(_text(WIDTH - RIGHT - 4, y - 4, f"{arena.region}: {arena.size_bytes:,} bytes", anchor="end"))
    return parts


def _bar(picture: MemoryPicture, bar: Bar, index: int) -> str:
    x, end = _x(picture, bar.first), _x(picture, bar.last + 1)
    y, floor = _y(picture, bar.end), _y(picture, bar.offset)
    about = f"{bar.name}: {bar.size_bytes:,} bytes at {bar.offset:,}, {picture.span(bar)}"
    if bar.kind in ("rows", "scratch"):
        about += {"rows": ", some rows of the tensor", "scratch": ", scratch"}[bar.kind]
    room = int((end - x - 8) / LETTER_WIDTH)
    inside = ""
    if room >= 4 and floor - y >= 14:
        name = bar.name if len(bar.name) <= room else f"{bar.name[: room - 1]}…"
        inside = _text((x + end) / 2, (y + floor) / 2 + 4, name, kind="inside")
    return (
        f'<g><rect class="bar {bar.kind} c{index % PALETTE}" x="{x:.1f}" y="{y:.2f}" width="{end - x:.1f}"'
        f' height="{max(floor - y, 0.5):.2f}"><title>{escape(about)}</title></rect>{inside}</g>'
    )
