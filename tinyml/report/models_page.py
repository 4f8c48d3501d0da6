"""Renders ``docs/models.md`` from the catalogue; ``python -m tinyml.report.models_page`` prints it."""

from __future__ import annotations

from collections.abc import Iterable

from tinyml.boards import list_boards
from tinyml.models.catalog import CATALOG, Entry, families
from tinyml.models.figures import REFERENCE_BOARD, Figures, load_figures


def _head() -> str:
    return f"""# Models

Generated from the catalogue in `tinyml/models/`, do not edit; this brings it up to date, after
`python -m tinyml.models_table` where definitions, kernels or plans have changed:

    python -m tinyml.report.models_page > docs/models.md

Every network is built with random weights, converted to int8 and compiled. Parameters are the trainable ones; MACs are
counted as MLPerf Tiny counts, convolutions and dense layers only. Weights and arena are bytes on {REFERENCE_BOARD}
(Cortex-M4F), exact; instructions are those of one inference on a Cortex-M4F, counted in emulation, its outputs equal to
LiteRT's reference kernels byte for byte. Networks that were published for telephones fit hardly any board here: they
are counted on the same core with as much memory as they take, which no such chip has. A family's name stands for its
first row. Any option of a definition can be replaced:
`tinyml.models.catalog.build_model("mobilenet_v2", width=0.5, classes=10)`. A board with an asterisk holds the network
with `--optimize size` only.
{_unmeasured()}"""


def _unmeasured() -> str:
    """Sentences on the rows that have dashes, empty where all are measured."""
    figures = load_figures()
    rows = [figures.get(entry.name, Figures(entry.name)) for entry in CATALOG]
    told = ""
    if lacking := _names(row for row in rows if not row.planned):
        told += (
            '\n"–" stands for what has not been measured, which takes the largest networks many minutes each:\n'
            f"{lacking};\n"
            "`python -m tinyml.models_table NAME` measures one.\n"
        )
    if uncounted := _names(row for row in rows if row.planned and row.instructions is None):
        told += (
            f"\nWithout a count of instructions: {uncounted}. With random weights its attention over more than 511\n"
            "places is nearly flat, and on such a softmax LiteRT's reference kernel stops: nothing can be compared.\n"
        )
    return told


def _names(rows: Iterable[Figures]) -> str:
    return ", ".join(f"`{row.name}`" for row in rows)


def models_page() -> str:
    """The page, as Markdown."""
    lines = [_head()]
    for family in families():
        lines += [f"## {family}", ""]
        entries = [entry for entry in CATALOG if entry.family == family]
        papers = list(dict.fromkeys(part for entry in entries for part in entry.paper.split("; ")))
        lines += [f"{'; '.join(papers)}.", ""]
        lines += ["| name | task | input | parameters | MACs | weights | arena | instructions | boards that hold it |"]
        lines += ["|---|---|---|--:|--:|--:|--:|--:|---|"]
        lines += [_row(entry) for entry in entries]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(entry: Entry) -> str:
    figures = load_figures().get(entry.name, Figures(entry.name))
    shape = " + ".join("×".join(str(size) for size in shape) for shape in entry.input_shapes)
    numbers = (
        figures.parameters,
        figures.macs,
        figures.weights_bytes,
        figures.arena_bytes,
        figures.instructions,
    )
    counts = ("–" if number is None else f"{number:,}" for number in numbers)
    cells = [f"`{entry.name}`", entry.task.replace("_", " "), shape, *counts]
    return f"| {' | '.join(cells)} | {_boards(figures)} |"


def _boards(figures: Figures) -> str:
    if not figures.planned:
        return "–"
    names = [*figures.boards, *(f"{name}\\*" for name in figures.boards_optimize_size)]
    missing = [b.name for b in list_boards() if b.name not in figures.boards + figures.boards_optimize_size]
    if not missing and not figures.boards_optimize_size:
        return "all"
    if len(missing) <= 3 and not figures.boards_optimize_size:
        return f"all but {', '.join(missing)}"
    return ", ".join(names) or "none"


if __name__ == "__main__":
    print(models_page(), end="")
