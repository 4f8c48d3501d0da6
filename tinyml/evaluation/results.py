"""What evaluating a model gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import Skipped
from tinyml.evaluation.metrics import Roc

CLASSIFY, ANOMALY = "classify", "anomaly"


@dataclass(frozen=True)
class ClassScore:
    """One class against all others; a figure is None where there are no examples to take it from."""

    name: str
    examples: int
    precision: float | None
    recall: float | None
    auc: float | None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        if self.precision is None or self.recall is None:
            return None
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True)
class StreamPoint:
    """One threshold for every word: the share of words missed and the false accepts an hour."""

    threshold: float
    miss_rate: float
    false_accepts_per_hour: float


@dataclass(frozen=True)
class StreamCurve:
    """Misses against false accepts over ``hours`` of made sound; ``chosen`` is what the manifest's detector does."""

    hours: float
    spoken: int
    points: tuple[StreamPoint, ...]
    chosen: StreamPoint | None

    def to_json(self) -> dict[str, Any]:
        """The curve as a JSON object."""
        return {
            "hours": self.hours,
            "spoken": self.spoken,
            "points": [_point(point) for point in self.points],
            "chosen": None if self.chosen is None else _point(self.chosen),
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How an int8 model does on a split of a data set.

    ``task`` is ``classify`` or ``anomaly``; ``value`` is the top-1 accuracy or the area under the ROC. ``confusion``
    ``[true, said]`` is empty for ``anomaly``, ``partial_auc`` None for ``classify``. ``auc`` is the mean over classes.
    """

    model: str
    data: str
    split: str
    task: str
    labels: tuple[str, ...]
    examples: int
    value: float
    auc: float | None
    partial_auc: float | None
    confusion: NDArray[np.int64]
    classes: tuple[ClassScore, ...]
    rocs: tuple[tuple[str, Roc], ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    stream: StreamCurve | None = None

    @property
    def metric(self) -> str:
        """What ``value`` is, in words."""
        return "top-1 accuracy" if self.task == CLASSIFY else "area under the ROC"

    def to_json(self) -> dict[str, Any]:
        """The object that ``tinyml evaluate --json`` prints."""
        return {
            "model": self.model,
            "data": self.data,
            "split": self.split,
            "task": self.task,
            "labels": list(self.labels),
            "examples": self.examples,
            "accuracy": self.value if self.task == CLASSIFY else None,
            "auc": self.auc,
            "partial_auc": self.partial_auc,
            "confusion": self.confusion.tolist(),
            "classes": [
                {
                    "name": one.name,
                    "examples": one.examples,
                    "precision": one.precision,
                    "recall": one.recall,
                    "f1": one.f1,
                    "auc": one.auc,
                }
                for one in self.classes
            ],
            "skipped": [{"name": item.name, "reason": item.reason} for item in self.skipped],
            "notes": list(self.notes),
            "stream": None if self.stream is None else self.stream.to_json(),
        }


def _point(point: StreamPoint) -> dict[str, float]:
    return {
        "threshold": point.threshold,
        "miss_rate": point.miss_rate,
        "false_accepts_per_hour": point.false_accepts_per_hour,
    }
