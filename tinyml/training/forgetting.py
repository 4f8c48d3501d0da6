"""Forgetting: how a task that a network knew fares after its layers have learnt another.

The old head stays as it was on the layers that both tasks share; those have the new run's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml.data import Dataset
from tinyml.data.base import AUDIO
from tinyml.errors import UsageError
from tinyml.training.evaluate import evaluate_float
from tinyml.training.examples import TrainingData
from tinyml.training.quantize import check_matches
from tinyml.training.recipes import DataOptions, Recipe, open_data
from tinyml.training.transfer import Source


@dataclass(frozen=True)
class Forgetting:
    """The old task's score on its test split, with the old network and with the shared layers as they are now."""

    data: str
    metric: str
    before: float
    after: float
    examples: int

    @property
    def lost(self) -> float:
        """What is forgotten, in the score's unit."""
        return self.before - self.after

    def to_json(self) -> dict[str, Any]:
        """The object under ``forgetting`` in the manifest and in ``--json``."""
        return {
            "data": self.data,
            "metric": self.metric,
            "before": self.before,
            "after": self.after,
            "lost": self.lost,
            "examples": self.examples,
        }


def open_old_data(folder: Path, source: Source, seed: int) -> tuple[Dataset, Recipe, DataOptions]:
    """The data set that ``source`` was trained on, with its classes in its order, not read yet.

    As it opens by itself where that gives the network's classes, otherwise with its words: of Speech Commands the
    official words that are no keywords are then left out, as in training, and not counted among the unknown.

    Raises:
        UsageError: the folder's classes are not the network's.
    """
    labels = source.labels or ()
    options = DataOptions(seed=seed)
    dataset, recipe = open_data(folder, options)
    if labels and dataset.kind == AUDIO and dataset.classes != labels:
        words = tuple(label for label in labels if not label.startswith("_"))
        options = DataOptions(words=words, words_alone=len(words) == len(labels), seed=seed)
        dataset, recipe = open_data(folder, options)
    if labels and dataset.classes != labels:
        raise UsageError(
            f"{folder} has the classes {', '.join(dataset.classes)}, {source.name} was trained for {', '.join(labels)}",
            hint="give --old-data with the data set that it was trained on",
        )
    return dataset, recipe, options


def old_data(folder: Path, source: Source, seed: int) -> TrainingData:
    """The examples of :func:`open_old_data`.

    Raises:
        UsageError: the folder's data do not go with the network.
    """
    dataset, recipe, options = open_old_data(folder, source, seed)
    data = recipe.prepare(dataset, options, tuple(source.model.input_shape[1:]))
    check_matches(source.model, data)
    return data


def measure(source: Source, taken: tuple[str, ...], model: Any, data: TrainingData, folder: Path) -> Forgetting:
    """Score the old task before and after: ``model`` is the new network, ``taken`` the layers that both share.

    ``source.model`` is left with the new weights in those.
    """
    before = evaluate_float(source.model, data, data.test)
    theirs = {layer.name: layer for layer in source.model.layers}
    for name in taken:
        theirs[name].set_weights(model.get_layer(name).get_weights())
    after = evaluate_float(source.model, data, data.test)
    return Forgetting(str(folder), before.metric, before.value, after.value, before.examples)
