"""The trained int8 models that ship with tinyml, by the manifests beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TRAINED_DIR = Path(__file__).resolve().parent / "pretrained"


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that the verbs take by name, with weights: ``entry`` is the catalogue's name of its network.

    ``scores`` has the metric's values on the test split, under ``float`` and ``int8``.
    """

    name: str
    entry: str
    task: str
    labels: tuple[str, ...]
    metric: str
    scores: dict[str, float]
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        """The model's object under ``trained`` in ``tinyml models --json``."""
        return {
            "name": self.name,
            "model": self.entry,
            "task": self.task,
            "labels": list(self.labels),
            "metric": self.metric,
            "float": self.scores["float"],
            "int8": self.scores["int8"],
            "bytes": self.size_bytes,
        }

    @property
    def card(self) -> Path:
        """The model card: data, licence, accuracy, command."""
        return TRAINED_DIR / f"{self.name}.md"


@cache
def trained_models() -> dict[str, Trained]:
    """Every trained model by its name."""
    found = {}
    for path in sorted(TRAINED_DIR.glob("*.tflite")):
        manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        metric = next(key for key in ("accuracy", "auc") if key in manifest)
        found[path.stem] = Trained(
            path.stem,
            manifest["model"]["name"],
            manifest["task"],
            tuple(manifest["labels"]),
            metric,
            {kind: float(manifest[metric][kind]) for kind in ("float", "int8")},
            path.stat().st_size,
        )
    return found
