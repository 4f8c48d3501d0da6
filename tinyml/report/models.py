"""The catalogue as JSON and as text for a terminal, from the definitions' facts and the measured figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tinyml.models.catalog import CATALOG, Entry
from tinyml.models.figures import REFERENCE_BOARD, load_figures
from tinyml.sources import PRETRAINED_DIR


def model_json(entry: Entry) -> dict[str, Any]:
    """The entry's object under ``models`` in ``tinyml models --json``."""
    figures = load_figures()[entry.name]
    published = entry.published
    return {
        "name": entry.name,
        "family": entry.family,
        "task": entry.task,
        "paper": entry.paper,
        "input_shape": list(entry.input_shape),
        "classes": entry.classes,
        "options": {key: list(v) if isinstance(v, tuple) else v for key, v in sorted(entry.defaults.items())},
        **figures.to_json(),
        "published": None
        if published is None
        else {"source": published.source, "parameters": published.parameters, "macs": published.macs},
        "trained": (PRETRAINED_DIR / f"{entry.name}.tflite").is_file(),
    }


def catalog_report(entries: Sequence[Entry]) -> list[RenderableType]:
    """The lines of ``tinyml models``: a row an entry."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("task", no_wrap=True)
    table.add_column("input", no_wrap=True)
    for heading in ("parameters", "MACs", "weights", "arena", "boards"):
        table.add_column(heading, justify="right", no_wrap=True)
    figures = load_figures()
    for entry in entries:
        row = figures[entry.name]
        table.add_row(
            entry.name,
            entry.task.replace("_", " "),
            "x".join(str(size) for size in entry.input_shape),
            f"{row.parameters:,}",
            f"{row.macs:,}",
            f"{row.weights_bytes:,}",
            f"{row.arena_bytes:,}",
            str(len(row.boards)) if row.boards else Text("none", style="red"),
        )
    note = Text(
        f"weights and arena are bytes on {REFERENCE_BOARD}; boards counts those that hold it;"
        " `tinyml models NAME` says which",
        style="dim",
    )
    return [table, Text(""), note]


def model_report(entry: Entry) -> list[RenderableType]:
    """The lines of ``tinyml models NAME``."""
    figures = load_figures()[entry.name]
    options = ", ".join(f"{key} {_plain(value)}" for key, value in entry.defaults.items())
    rows = [
        ("family", entry.family),
        ("task", entry.task.replace("_", " ")),
        ("paper", entry.paper),
        ("options", options),
        ("parameters", f"{figures.parameters:,}"),
        ("MACs", f"{figures.macs:,}"),
        ("weights", f"{figures.weights_bytes:,} bytes on {REFERENCE_BOARD}"),
        ("arena", f"{figures.arena_bytes:,} bytes on {REFERENCE_BOARD}"),
        ("boards that fit", ", ".join(figures.boards) or "none"),
    ]
    if entry.published is not None:
        rows.append(("published", _published(entry)))
    others = [other.name for other in CATALOG if other.family == entry.family and other.name != entry.name]
    if others:
        rows.append(("same family", ", ".join(others)))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(label, Text(value))
    return [Text(entry.name, style="bold"), grid]


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
