"""``docs/zoo-benchmark.md`` and its picture, made of ``tests/bench/zoo.json`` alone."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from tests.bench.zoo_rows import (
    CLASSES,
    KEYWORDS,
    PICTURES,
    REASONS,
    RESULTS,
    STAND_INS,
    Row,
    Settings,
    contest_of,
    contestants,
    others,
    read_missing,
    read_rows,
)
from tests.support.shared import REPOSITORY
from tinyml.files import write_file

PAGE = REPOSITORY / "docs" / "zoo-benchmark.md"
PICTURE = REPOSITORY / "docs" / "pictures" / "zoo-pareto.svg"
COSTS: dict[str, Callable[[Row], int]] = {
    "instructions": lambda row: _measured(row).instructions,
    "SRAM": lambda row: _measured(row).sram_bytes,
    "flash": lambda row: _measured(row).flash_bytes,
}
ELSEWHERE = "\\*"
TITLES = {
    PICTURES: f"CIFAR-10: pictures of {CLASSES[PICTURES]} classes",
    KEYWORDS: f"Speech Commands: {CLASSES[KEYWORDS]} words",
}


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points ``(cost, gain)`` that no other point beats, by rising cost.

    One point beats another where it costs no more and gains no less, and is better in one of the two.
    """
    order = sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1]))
    front: list[int] = []
    for index in order:
        cost, gain = points[index]
        if not front or gain > points[front[-1]][1] or (cost, gain) == points[front[-1]]:
            front.append(index)
    return front


def fronts(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """For each cost the rows on the front of int8 accuracy against it, the cheapest first."""
    return {
        name: [rows[index] for index in pareto([(cost(row), row.int8_accuracy) for row in rows])]
        for name, cost in COSTS.items()
    }


def page(kept: dict[str, Row], settings: Settings, missing: Sequence[str] = ()) -> str:
    """The page, as Markdown."""
    lines = [_head(settings)]
    for contest in (PICTURES, KEYWORDS):
        lines += [f"## {TITLES[contest]}", "", *_table(_finished(kept, contest)), ""]
    if missing:
        lines += ["Not measured yet: " + ", ".join(f"`{name}`" for name in missing) + ".", ""]
    lines += ["## Rows that are not compared", ""]
    lines += [f"- `{entry.name}` {_reason(entry.task, entry.family)}" for entry in others()]
    return "\n".join(lines) + "\n"


def write_page() -> None:
    """Bring page and picture up to date."""
    kept = read_rows()
    write_file(PAGE, page(kept, Settings(), read_missing()))
    write_file(PICTURE, draw(kept))


def fingerprint(kept: dict[str, Row]) -> str:
    """What the picture carries, so that one drawn from other results is seen."""
    content = json.dumps({name: asdict(row) for name, row in sorted(kept.items())}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _measured(row: Row) -> Any:
    assert row.measured is not None
    return row.measured


def _finished(kept: dict[str, Row], contest: str) -> list[Row]:
    names = [entry.name for entry in contestants() if contest_of(entry) == contest]
    return [kept[name] for name in names if name in kept and kept[name].measured is not None]


def _head(settings: Settings) -> str:
    share = 0.5 / settings.test_examples**0.5
    return f"""# The zoo compared

Generated from `tests/bench/{RESULTS.name}`, do not edit. `make zoo`, which `make sweep` ends with, trains and measures
again what has changed, row by row; `python -m tests.bench.zoo --page-only` writes the page alone.

Every network of the catalogue that was sized for a board and tells classes apart learns the same task by the same
recipe: {settings.steps} steps of {settings.batch_size} examples out of at most {settings.examples:,},
Adam, a learning rate that falls from {settings.learning_rate:g} to zero along a cosine, one seed; no augmentation, no
dropout, no teacher. That is a minute or two of training where the papers take days: the order says which definitions
learn quickly on little data, not which is best in the end, and a row that needs long training stands lower here than it
would. CIFAR-10 is given as one official batch of training pictures; pictures are
resized to the row's own input, at most 64×64, and sounds go through the front-end of the applications with as many
features a frame as the row takes.

Accuracy is that of the int8 network, by LiteRT's reference kernels, whose bytes the firmware's equal, on up to
{settings.test_examples:,} test examples that nobody trained on (float beside it); one in three figures is further than
{100 * share:.1f} points from what endless test examples would give. Flash and SRAM are those of the whole compiled
benchmark firmware on nano33ble (GCC, `--optimize balanced`), stack and drivers included, from the ELF; instructions are
those of one inference on a Cortex-M4F, counted in emulation. All of it is of the very network that was trained. A bold
figure lies on the front of its column: no row costs as little and is more accurate, none is as accurate and costs less.

![int8 accuracy against instructions, SRAM and flash, with the three fronts](pictures/{PICTURE.name})
"""


def _table(rows: Sequence[Row]) -> list[str]:
    members = {name: {row.name for row in found} for name, found in fronts(rows).items()}
    lines = [
        "| network | input | parameters | MACs | int8 | float | flash | SRAM | instructions |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    note = False
    for row in sorted(rows, key=lambda row: (-row.int8_accuracy, row.name)):
        figures = {name: f"{cost(row):,}" for name, cost in COSTS.items()}
        for name in COSTS:
            if row.name in members[name]:
                figures[name] = f"**{figures[name]}**"
        elsewhere = _measured(row).board != "nano33ble"
        note |= elsewhere
        name = f"`{row.name}`" + (ELSEWHERE if elsewhere else "")
        shape = "×".join(str(side) for side in row.input_shape)
        cells = [name, shape, f"{row.parameters:,}", f"{row.macs:,}", _percent(row.int8_accuracy)]
        cells += [_percent(row.float_accuracy), figures["flash"], figures["SRAM"], figures["instructions"]]
        lines.append(f"| {' | '.join(cells)} |")
    if note:
        lines += ["", f"{ELSEWHERE} too large for nano33ble: measured on mps2-an386, the same core with more memory."]
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _reason(task: str, family: str) -> str:
    stand_in = f"; its body is that of `{STAND_INS[family]}`, which is" if family in STAND_INS else ""
    return f"{REASONS[task]}{stand_in}."


def draw(kept: dict[str, Row]) -> bytes:
    """The picture as SVG: a row of three panels for each task, the fronts as steps, their members named."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "tinyml", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(12, 9), layout="constrained")
        grid = figure.subplots(2, len(COSTS), sharey="row")
        for axes_row, contest in zip(grid, (PICTURES, KEYWORDS), strict=True):
            rows = _finished(kept, contest)
            for axes, (name, cost) in zip(axes_row, COSTS.items(), strict=True):
                _panel(axes, rows, fronts(rows)[name], cost)
                axes.set_xlabel(name if name == "instructions" else f"{name}, bytes")
            axes_row[0].set_ylabel("int8 accuracy, %")
            axes_row[1].set_title(TITLES[contest])
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Description": fingerprint(kept)})
    return b"\n".join(line.rstrip() for line in content.getvalue().splitlines()) + b"\n"


def _panel(axes: Any, rows: Iterable[Row], front: Sequence[Row], cost: Callable[[Row], int]) -> None:
    axes.set_xscale("log")
    axes.grid(True, which="major", color="#dddddd", linewidth=0.5)
    beaten = [row for row in rows if row not in front]
    axes.scatter([cost(r) for r in beaten], [100 * r.int8_accuracy for r in beaten], s=10, color="#9aa5b1")
    costs, gains = [cost(row) for row in front], [100 * row.int8_accuracy for row in front]
    axes.step(costs, gains, where="post", color="#c0392b", linewidth=1)
    axes.scatter(costs, gains, s=18, color="#c0392b", zorder=3)
    for row, x, y in zip(front, costs, gains, strict=True):
        axes.annotate(row.name, (x, y), xytext=(4, -9), textcoords="offset points", fontsize=6)
