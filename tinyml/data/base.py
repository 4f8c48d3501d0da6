"""What every reader gives: a data set as named, labelled samples in three splits, decoded only when asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import UsageError

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
AUDIO, IMAGE = "audio", "image"

Progress = Callable[[int, int], None]
"""Called with the samples done and the samples in all."""

Transform = Callable[[NDArray[Any]], NDArray[Any]]


class CorruptSampleError(Exception):
    """A clip or an image that cannot be decoded: it is left out, named and counted, and the rest goes on."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One clip or image: its name in the data set, its class number and how to decode it.

    ``decode()`` gives int16 samples ``[samples]`` of a clip or uint8 ``[height, width, 3 or 1]`` of an image, and
    raises :class:`CorruptSampleError` where the file is damaged. ``encoded()`` gives the bytes of the picture file that
    was decoded, or None where there is none.
    """

    name: str
    label: int
    decode: Callable[[], NDArray[Any]]
    encoded: Callable[[], bytes | None] | None = None


@dataclass(frozen=True)
class Skipped:
    """A sample that was left out and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Decoded:
    """Decoded samples of one split: ``values`` has one more axis in front; labels are int64."""

    values: NDArray[Any]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: its layout, ``audio`` or ``image``, the class names, and the samples of each split.

    ``notes`` are facts worth telling the user (classes left out, a split that was made from another).
    ``sample_rate_hz`` and ``clip_samples`` are those of every decoded clip, 0 for images. ``noise`` holds stretches of
    background noise for augmentation, int16, for training only.
    """

    layout: str
    kind: str
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[Sample, ...]]
    notes: tuple[str, ...] = ()
    sample_rate_hz: int = 0
    clip_samples: int = 0
    noise: tuple[NDArray[np.int16], ...] = ()

    def samples(self, split: str) -> tuple[Sample, ...]:
        """The samples of ``train``, ``validation`` or ``test``; UsageError for another name."""
        if split not in self.splits:
            raise UsageError(f"no split {split!r}", hint="splits are " + ", ".join(SPLITS))
        return self.splits[split]

    def counts(self) -> dict[str, dict[str, int]]:
        """Samples of each class in each split."""
        result: dict[str, dict[str, int]] = {}
        for split in SPLITS:
            labels = np.asarray([sample.label for sample in self.splits[split]], dtype=np.int64)
            numbers = np.bincount(labels, minlength=len(self.classes))
            result[split] = {name: int(number) for name, number in zip(self.classes, numbers, strict=True)}
        return result

    def decode(self, split: str, transform: Transform | None = None, progress: Progress | None = None) -> Decoded:
        """All samples of a split, each through ``transform`` if given, stacked; damaged ones are skipped and named.

        UsageError where nothing is left, or where samples differ in shape and no transform makes them alike.
        """
        return decode_samples(self.samples(split), split, transform, progress)


def decode_samples(
    samples: tuple[Sample, ...],
    what: str,
    transform: Transform | None = None,
    progress: Progress | None = None,
) -> Decoded:
    """Decode and stack samples; ``what`` names them in errors. See :meth:`Dataset.decode`.

    Raises UsageError where none can be decoded.
    """
    stacked: NDArray[Any] | None = None
    labels: list[int] = []
    names: list[str] = []
    skipped: list[Skipped] = []
    for index, sample in enumerate(samples):
        try:
            value = sample.decode()
        except CorruptSampleError as error:
            skipped.append(Skipped(sample.name, str(error)))
        else:
            value = value if transform is None else transform(value)
            if stacked is None:
                stacked = np.empty((len(samples), *value.shape), value.dtype)
            if value.shape != stacked.shape[1:]:
                raise UsageError(
                    f"the {what} samples differ in shape: {names[0]} has {list(stacked.shape[1:])},"
                    f" {sample.name} has {list(value.shape)}",
                    hint="bring them to one size with a transform",
                )
            stacked[len(names)] = value
            labels.append(sample.label)
            names.append(sample.name)
        if progress is not None:
            progress(index + 1, len(samples))
    if stacked is None:
        reason = f", {len(skipped)} of them damaged, first {skipped[0].name}" if skipped else ""
        raise UsageError(
            f"the {what} samples are empty: {len(samples)} found{reason}",
            hint="`tinyml data info FOLDER --check` says what is in each split and names what is damaged",
        )
    return Decoded(stacked[: len(names)], np.asarray(labels, dtype=np.int64), tuple(names), tuple(skipped))


def require_folder(folder: Path) -> None:
    """Raises UsageError where there is no such folder."""
    if not folder.is_dir():
        raise UsageError(
            f"no such folder: {folder}",
            hint="give a data set's folder; `tinyml data get NAME` downloads a public one (`tinyml data list`)",
        )


def hash_split(name: str, validation_percent: float = 10.0, test_percent: float = 10.0) -> str:
    """A split that depends on the name alone, so that a sample stays where it is when others are added."""
    fraction = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2.0**64
    if 100.0 * fraction < validation_percent:
        return VALIDATION
    return TEST if 100.0 * fraction < validation_percent + test_percent else TRAIN


def name_seed(name: str, seed: int) -> int:
    """A seed for one sample's random choices, the same in every run and process."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big")


def find_damaged(dataset: Dataset, progress: Progress | None = None) -> tuple[Skipped, ...]:
    """Decode every sample of every split once, keep nothing, and name those that are damaged."""
    samples = {sample.name: sample for split in SPLITS for sample in dataset.splits[split]}
    damaged = []
    for index, sample in enumerate(samples.values()):
        try:
            sample.decode()
        except CorruptSampleError as error:
            damaged.append(Skipped(sample.name, str(error)))
        if progress is not None:
            progress(index + 1, len(samples))
    return tuple(damaged)
