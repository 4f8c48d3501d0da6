"""An evaluation as tables for a terminal and as one self-contained HTML page."""

from __future__ import annotations

import base64

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tinyml import __version__
from tinyml.evaluation.plots import draw_all
from tinyml.evaluation.results import CLASSIFY, Evaluation, StreamCurve
from tinyml.report.html import ENVIRONMENT

TITLES = {
    "confusion": "Confusion: who is taken for whom",
    "classes": "Recall and precision by class",
    "roc": "Receiver operating characteristic",
    "stream": "Misses against false accepts",
}


def evaluation_facts(result: Evaluation) -> tuple[str, ...]:
    """What counts, a sentence each."""
    facts = [f"{result.model} on {result.examples:,} examples of {result.data}, {_split(result.split)}, int8"]
    if result.task == CLASSIFY:
        areas = "" if result.auc is None else f"; mean area under the ROC {result.auc:.4f}"
        facts.append(f"top-1 accuracy {100 * result.value:.2f} %{areas}")
    else:
        facts.append(
            f"area under the ROC {result.value:.4f}, up to a false positive rate of 0.1 {_cell(result.partial_auc)}"
        )
    if result.stream is not None:
        facts.append(_stream_fact(result.stream))
    if result.skipped:
        first = result.skipped[0]
        facts.append(f"{len(result.skipped)} damaged samples left out, first {first.name}: {first.reason}")
    return tuple(facts)


def evaluation_report(result: Evaluation) -> list[RenderableType]:
    """The lines of ``tinyml evaluate``."""
    lines: list[RenderableType] = [Text(fact) for fact in evaluation_facts(result)]
    if result.task == CLASSIFY:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("class")
        for heading in ("examples", "precision", "recall", "F1", "AUC"):
            table.add_column(heading, justify="right")
        for row in class_rows(result):
            table.add_row(*row)
        lines.append(table)
    return lines + [Text(f"note: {note}") for note in result.notes]


def class_rows(result: Evaluation) -> list[tuple[str, ...]]:
    """A row a class: name, examples, precision, recall, F1, area under its ROC."""
    return [
        (one.name, f"{one.examples:,}", *(_cell(value) for value in (one.precision, one.recall, one.f1, one.auc)))
        for one in result.classes
    ]


def evaluation_page(result: Evaluation) -> str:
    """The page of ``tinyml evaluate --html``: figures, tables and pictures; nothing is loaded from elsewhere.

    Raises UsageError where matplotlib is missing.
    """
    facts = evaluation_facts(result)
    pictures = [
        (TITLES[name], f"data:image/svg+xml;base64,{base64.b64encode(content).decode('ascii')}")
        for name, content in draw_all(result, "svg").items()
    ]
    return ENVIRONMENT.get_template("evaluation.html.j2").render(
        version=__version__,
        title=f"{result.model}: evaluation",
        facts=facts[1:],
        heading=facts[0],
        notes=result.notes,
        rows=class_rows(result) if result.task == CLASSIFY else [],
        pictures=pictures,
        points=result.stream.points if result.stream else (),
    )


def _stream_fact(curve: StreamCurve) -> str:
    text = f"{curve.spoken} words in {60 * curve.hours:.0f} minutes of made sound"
    if curve.chosen is not None:
        missed, false = 100 * curve.chosen.miss_rate, curve.chosen.false_accepts_per_hour
        text += f": the manifest's detector misses {missed:.1f} % of them at {false:.1f} false accepts an hour"
    return text


def _split(name: str) -> str:
    return "every split" if name == "all" else f"{name} split"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
