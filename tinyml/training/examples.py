"""What training needs to know of a data set: int8 examples as the board will see them, labels, and how to augment.

Examples are kept as the int8 codes that the firmware's front-end gives, so that the network is trained on exactly what
it meets in the field; :meth:`TrainingData.real` turns a batch of codes into the float32 values they stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int8]
Reals = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

CLASSIFY = "classify"
RECONSTRUCT = "reconstruct"


@dataclass(frozen=True, eq=False)
class Examples:
    """int8 codes of shape (n, *input shape) and n labels: class numbers, or 0 normal / 1 anomalous.

    ``groups`` numbers the recording that each example was cut from, where examples are scored by recording. ``shares``,
    float32 (n, classes) with rows that sum to 1, say how much of each class is in mixed examples. ``answers``, float32
    (n, classes), are what a teacher says that was asked while they were made: logarithms of probabilities.
    """

    codes: Codes
    labels: Labels
    groups: Labels | None = None
    shares: Reals | None = None
    answers: Reals | None = None

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.labels):
            raise ValueError(f"{len(self.codes)} examples with {len(self.labels)} labels")
        if self.shares is not None and len(self.shares) != len(self.labels):
            raise ValueError(f"{len(self.labels)} examples with the shares of {len(self.shares)}")
        if self.answers is not None and len(self.answers) != len(self.labels):
            raise ValueError(f"{len(self.labels)} examples with the answers to {len(self.answers)}")

    def __len__(self) -> int:
        return len(self.labels)

    def targets(self, chosen: Labels, classes: int) -> Reals:
        """What a classifier is to answer for the chosen rows, float32 (rows, classes): shares, or labels one-hot."""
        if self.shares is not None:
            return self.shares[chosen]
        return np.eye(classes, dtype=np.float32)[self.labels[chosen]]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """A data set that is ready to train on.

    ``epoch(rng)`` gives one epoch of training examples, augmented anew from the generator. ``plain`` are training
    examples as they are, for calibration. A code ``q`` stands for ``scale * (q - zero_point)``. ``frontend`` says in
    JSON terms how raw input becomes codes. ``counts`` are the clips or images per label of each split, ``notes`` what
    the user ought to know of the data, such as damaged files that were left out. ``resized(rng, shape)``, where the
    data can, gives the same epoch for the same generator, example by example, as codes of another input shape: what a
    teacher of its own size sees. ``own_part``: of several workers, each has training examples of its own. ``drawn``
    says how often an epoch has each class, where that is put right after training (:mod:`tinyml.training.balance`).
    """

    task: str
    objective: str
    labels: tuple[str, ...]
    scale: float
    zero_point: int
    epoch: Callable[[np.random.Generator], Examples]
    plain: Examples
    validation: Examples
    test: Examples
    frontend: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    resized: Callable[[np.random.Generator, tuple[int, ...]], Codes] | None = None
    own_part: bool = False
    drawn: tuple[float, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.plain.codes.shape[1:])

    @property
    def input_range(self) -> tuple[float, float]:
        """The real values of the codes -128 and 127."""
        return self.scale * (-128 - self.zero_point), self.scale * (127 - self.zero_point)

    def real(self, codes: Codes) -> Reals:
        """The float32 values that int8 codes stand for."""
        return (codes.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)
