"""The catalogue as JSON and as text for a terminal, from the definitions' facts and the measured figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tinyml.models.catalog import CATALOG, Entry
from tinyml.models.figures import REFERENCE_BOARD, Figures, load_figures
from tinyml.models.trained import Trained, trained_models


def model_json(entry: Entry) -> dict[str, Any]:
    """The entry's object under ``models`` in ``tinyml models --json``."""
    figures = _figures(entry)
    published = entry.published
    return {
        "name": entry.name,
        "family": entry.family,
        "task": entry.task,
        "paper": entry.paper,
        "input_shape": list(entry.input_shape),
        "input_shapes": [list(shape) for shape in entry.input_shapes],
        "classes": entry.classes,
        "options": {key: list(v) if isinstance(v, tuple) else v for key, v in sorted(entry.defaults.items())},
        **figures.to_json(),
        "published": None
        if published is None
        else {"source": published.source, "parameters": published.parameters, "macs": published.macs},
        "trained": [trained.name for trained in trained_models().values() if trained.entry == entry.name],
    }


NOT_MEASURED = "–"
CATALOG_HEADINGS = ["name", "task", "input", "parameters", "MACs", "weights", "arena", "instructions", "boards"]
CATALOG_RIGHT = (3, 4, 5, 6, 7, 8)
CATALOG_NOTE = (
    f"weights, arena and instructions on {REFERENCE_BOARD} (Cortex-M4F); –: not measured; boards: how many hold it,"
    " `tinyml models NAME` says which"
)


def catalog_rows(entries: Sequence[Entry]) -> list[list[str]]:
    """The table of ``tinyml models``: a row an entry under :data:`CATALOG_HEADINGS`."""
    return [_catalog_row(entry, _figures(entry)) for entry in entries]


def _catalog_row(entry: Entry, figures: Figures) -> list[str]:
    return [
        entry.name,
        entry.task.replace("_", " "),
        " + ".join("x".join(str(size) for size in shape) for shape in entry.input_shapes),
        _short(figures.parameters),
        _short(figures.macs),
        _kibibytes(figures.weights_bytes),
        _kibibytes(figures.arena_bytes),
        _short(figures.instructions),
        str(len(figures.boards + figures.boards_optimize_size)) if figures.planned else NOT_MEASURED,
    ]


def _figures(entry: Entry) -> Figures:
    """The entry's measured figures; those of a row that nobody has measured yet are all None."""
    return load_figures().get(entry.name, Figures(entry.name))


def _kibibytes(size_bytes: int | None) -> str:
    return NOT_MEASURED if size_bytes is None else f"{size_bytes / 1024:,.1f} KiB"


TRAINED_HEADINGS = ["trained", "network", "score", "classes"]


def trained_rows() -> list[list[str]]:
    """The second table of ``tinyml models``: the models that ship with weights, under :data:`TRAINED_HEADINGS`."""
    return [
        [trained.name, trained.entry, f"{trained.metric} {trained.scores['int8']:.3f} int8", " ".join(trained.labels)]
        for trained in trained_models().values()
    ]


def trained_report(trained: Trained) -> list[RenderableType]:
    """The lines of ``tinyml models NAME`` for a model that ships with weights."""
    rows = [
        ("network", f"{trained.entry}, trained; `tinyml models {trained.entry}` tells its size"),
        ("task", trained.task),
        ("classes", " ".join(trained.labels)),
        (trained.metric, f"float {trained.scores['float']:.4f}, int8 {trained.scores['int8']:.4f} on its test split"),
        ("file", f"{trained.size_bytes:,} bytes"),
        ("card", str(trained.card)),
    ]
    return [Text(trained.name, style="bold"), _grid(rows)]


def _grid(rows: Sequence[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(label, Text(value))
    return grid


def _short(count: int | None) -> str:
    """Three digits and a unit: ``2.66 M``, ``77.9 k``."""
    if count is None:
        return NOT_MEASURED
    for unit, factor in (("M", 1_000_000), ("k", 1_000)):
        if count >= factor:
            scaled = count / factor
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {unit}"
    return str(count)


def model_report(entry: Entry) -> list[RenderableType]:
    """The lines of ``tinyml models NAME``."""
    figures = _figures(entry)
    options = ", ".join(f"{key} {_plain(value)}" for key, value in entry.defaults.items())
    rows = [
        ("family", entry.family),
        ("task", entry.task.replace("_", " ")),
        ("paper", entry.paper),
        ("options", options),
        ("parameters", _measured(figures.parameters)),
        ("MACs", _measured(figures.macs)),
        ("weights", _measured(figures.weights_bytes, f"bytes on {REFERENCE_BOARD}")),
        ("arena", _measured(figures.arena_bytes, f"bytes on {REFERENCE_BOARD}")),
        ("instructions", _measured(figures.instructions, "an inference on a Cortex-M4F, counted in emulation")),
        ("boards that fit", (", ".join(figures.boards) or "none") if figures.planned else "not measured"),
        *([("with --optimize size", ", ".join(figures.boards_optimize_size))] if figures.boards_optimize_size else []),
    ]
    if entry.published is not None:
        rows.append(("published", _published(entry)))
    others = [other.name for other in CATALOG if other.family == entry.family and other.name != entry.name]
    if others:
        rows.append(("same family", ", ".join(others)))
    return [Text(entry.name, style="bold"), _grid(rows)]


def _measured(number: int | None, unit: str = "") -> str:
    return "not measured" if number is None else f"{number:,} {unit}".rstrip()


def _plain(value: Any) -> str:
    return "x".join(str(v) for v in value) if isinstance(value, tuple) else str(value)


def _published(entry: Entry) -> str:
    published = entry.published
    assert published is not None
    facts = []
    if published.parameters is not None:
        facts.append(f"{published.parameters:,} parameters")
    if published.macs is not None:
        facts.append(f"{published.macs:,} MACs")
    return f"{', '.join(facts)} ({published.source})"
