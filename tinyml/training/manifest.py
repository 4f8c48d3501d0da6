"""The parts of a run's manifest: what was trained, on which data, from which trained layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyml.data.base import TRAIN
from tinyml.training.definition import Definition
from tinyml.training.examples import TrainingData
from tinyml.training.recipes import DataOptions
from tinyml.training.transfer import Source, Taken, TransferOptions


def model_entry(definition: Definition, model: Any) -> dict[str, Any]:
    """Under ``model``: where the network comes from and how large the ``keras.Model`` built of it is."""
    return {
        "source": definition.source,
        "name": definition.name,
        "parameters": int(model.count_params()),
        "options": dict(definition.options),
    }


def data_entry(folder: Path, options: DataOptions, data: TrainingData) -> dict[str, Any]:
    """Under ``data``: the folders, by their full paths, the words asked for, and the examples of each class."""
    return {
        "folder": str(folder.resolve()),
        "words": list(options.words),
        "unknown": [str(unknown.resolve()) for unknown in options.unknown],
        "words_alone": options.words_alone,
        "counts": counts_of(data),
    }


def counts_of(data: TrainingData) -> dict[str, dict[str, int]]:
    """The examples of each class in each split; not of the training split where this worker has a part of it alone."""
    return {split: dict(counts) for split, counts in data.counts.items() if split != TRAIN or not data.own_part}


def transfer_entry(
    options: TransferOptions | None, source: Source | None, taken: Taken | None
) -> dict[str, Any] | None:
    """Under ``transfer``: how layers were taken from ``source`` and which; None where none were."""
    if options is None or source is None or taken is None:
        return None
    return {
        **options.to_json(),
        **taken.to_json(),
        "name": source.name,
        "labels": None if source.labels is None else list(source.labels),
        "folded": source.folded,
        "frontend": dict(source.frontend),
    }
