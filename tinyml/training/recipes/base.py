"""What a recipe is: how one task's data set becomes training examples, and how long to train on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyml.compression.distill import DistillOptions
from tinyml.data import Dataset
from tinyml.data.base import SPLITS, TRAIN, Decoded
from tinyml.data.records import Worker
from tinyml.errors import UsageError
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions


@dataclass(frozen=True)
class DataOptions:
    """What the user chooses of the data.

    ``words`` are the keywords in the order of the outputs, ``unknown`` folders with more clips of other words,
    ``words_alone`` leaves the classes of silence and unknown words out; all for audio. ``distill`` names the teacher
    that hears the clips, where there is one. ``seed`` decides on everything drawn at random before the epochs begin,
    such as noise mixed into silence. A ``worker`` trains on its own shards of records.
    """

    words: tuple[str, ...] = ()
    unknown: tuple[Path, ...] = ()
    words_alone: bool = False
    distill: DistillOptions | None = None
    seed: int = 1
    worker: Worker | None = None


@dataclass(frozen=True)
class Recipe:
    """One task: the data layouts that it trains on, and how ``prepare`` makes examples of the model's input shape.

    ``prepare`` raises UsageError where data, options and input shape do not go together.
    """

    name: str
    layouts: tuple[str, ...]
    prepare: Callable[[Dataset, DataOptions, tuple[int, ...]], TrainingData]
    fit: FitOptions


def count_labels(decoded: Mapping[str, Decoded], dataset: Dataset) -> dict[str, dict[str, int]]:
    """How many examples each class has in each split, by name: what a resumed run compares.

    Raises:
        UsageError: all training samples of a class are damaged.
    """
    counts = {
        split: {name: int(np.sum(decoded[split].labels == index)) for index, name in enumerate(dataset.classes)}
        for split in SPLITS
    }
    for index, name in enumerate(dataset.classes):
        damaged = sum(sample.label == index for sample in dataset.samples(TRAIN))
        if damaged and not counts[TRAIN][name]:
            raise UsageError(
                f"all {damaged} training samples of {name!r} are damaged",
                hint="`tinyml data info FOLDER --check` names every damaged sample with the reason",
            )
    return counts


def notes(dataset: Dataset, decoded: Mapping[str, Decoded]) -> tuple[str, ...]:
    """The data set's own notes, and one for each split with damaged samples."""
    damaged = tuple(
        f"{len(part.skipped)} damaged {split} samples left out, first {part.skipped[0].name}: {part.skipped[0].reason}"
        for split, part in decoded.items()
        if part.skipped
    )
    return dataset.notes + damaged
