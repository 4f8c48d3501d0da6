"""An evaluation's pictures by matplotlib: confusion, recall and precision, ROC, misses against false accepts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinyml.errors import UsageError
from tinyml.evaluation.results import Evaluation
from tinyml.files import write_file

FORMATS = ("png", "svg")
MOST_CURVES = 12
MOST_NUMBERS = 30
_WIDTH, _HEIGHT = 6.4, 4.8


def draw_all(result: Evaluation, kind: str = "svg") -> dict[str, bytes]:
    """The pictures that the result has something for, by name, as the bytes of PNG or SVG files.

    The same result gives the same bytes. Raises UsageError where matplotlib is missing.
    """
    wanted: dict[str, Callable[[Any, Evaluation], None]] = {}
    if result.confusion.size:
        wanted |= {"confusion": _confusion, "classes": _classes}
    if result.rocs:
        wanted["roc"] = _rocs
    if result.stream is not None:
        wanted["stream"] = _stream
    return {name: _draw(draw, result, kind) for name, draw in wanted.items()}


def write_plots(result: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write every picture as PNG and as SVG into ``folder``; the files written."""
    written = []
    for kind in FORMATS:
        for name, content in draw_all(result, kind).items():
            path = folder / f"{name}.{kind}"
            write_file(path, content)
            written.append(path)
    return tuple(written)


def _draw(draw: Callable[[Any, Evaluation], None], result: Evaluation, kind: str) -> bytes:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("drawing needs matplotlib", hint="pip install 'tinyml[train]'") from None
    with matplotlib.rc_context({"svg.hashsalt": "tinyml", "svg.fonttype": "path"}):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        draw(figure, result)
        content = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(content, format=kind, dpi=120, metadata=metadata)
    return content.getvalue()


def _confusion(figure: Any, result: Evaluation) -> None:
    counts = result.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(_HEIGHT, 2.4 + 0.45 * min(len(result.labels), 60))
    figure.set_size_inches(side, side)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true", title=f"{result.value:.1%} of {result.examples} examples")
    axes.set_xticks(range(len(result.labels)), result.labels, rotation=90)
    axes.set_yticks(range(len(result.labels)), result.labels)
    if len(result.labels) <= MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)


def _classes(figure: Any, result: Evaluation) -> None:
    rows = np.arange(len(result.classes))
    figure.set_size_inches(_WIDTH, max(_HEIGHT, 1.2 + 0.3 * len(rows)))
    axes = figure.add_subplot()
    axes.barh(rows - 0.2, [one.recall or 0.0 for one in result.classes], 0.38, label="recall")
    axes.barh(rows + 0.2, [one.precision or 0.0 for one in result.classes], 0.38, label="precision")
    axes.set_yticks(rows, [one.name for one in result.classes])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), title="recall and precision by class")
    axes.legend(loc="lower left")


def _rocs(figure: Any, result: Evaluation) -> None:
    axes = figure.add_subplot()
    areas = {one.name: one.auc for one in result.classes}
    ranked = sorted(result.rocs, key=lambda item: areas.get(item[0]) or 0.0)
    for name, roc in ranked[:MOST_CURVES]:
        value = areas.get(name) if areas.get(name) is not None else result.auc
        axes.plot(roc.false_positive, roc.true_positive, label=f"{value:.3f} {name}")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    title = "ROC, each class against the rest"
    if result.partial_auc is not None:
        title = f"ROC: area {result.value:.3f}, up to a false positive rate of 0.1 {result.partial_auc:.3f}"
    elif len(ranked) > MOST_CURVES:
        title += f": the {MOST_CURVES} lowest of {len(ranked)}"
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01), title=title)
    axes.legend(loc="lower right", fontsize=8)


def _stream(figure: Any, result: Evaluation) -> None:
    curve = result.stream
    assert curve is not None
    axes = figure.add_subplot()
    axes.step(
        [point.false_accepts_per_hour for point in curve.points],
        [100 * point.miss_rate for point in curve.points],
        where="pre",
        marker=".",
        label="one threshold for all words",
    )
    if curve.chosen is not None:
        axes.plot(
            curve.chosen.false_accepts_per_hour, 100 * curve.chosen.miss_rate, "o", label="the manifest's detector"
        )
    axes.set(
        xlabel="false accepts an hour",
        ylabel="words missed (%)",
        title=f"{curve.spoken} words in {60 * curve.hours:.0f} minutes",
    )
    axes.set_ylim(bottom=0)
    most = max(point.false_accepts_per_hour for point in curve.points)
    axes.set_xlim(0, 1.05 * max(most, 1.0))
    axes.legend()
