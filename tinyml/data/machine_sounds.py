"""Machine sounds for anomaly detection, as in DCASE 2020's task 2 (Koizumi et al. 2020, arXiv:2006.05822).

``train`` holds normal recordings alone, a tenth of which, by the hash of the name, is for validation. ``test`` holds
recordings whose names begin with ``normal`` or ``anomaly``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from tinyml.data.audio import fit_length
from tinyml.data.base import AUDIO, TEST, TRAIN, VALIDATION, Dataset, Sample, hash_split
from tinyml.data.stores import FolderClips
from tinyml.errors import UsageError

LAYOUT = "machine_sounds"
NORMAL, ANOMALY = CLASSES = ("normal", "anomaly")
SAMPLE_RATE_HZ = 16_000
CLIP_SECONDS = 10


def recognise(folder: Path) -> bool:
    """Whether there are ``train`` and ``test`` folders with WAV files, some of the latter named as anomalous."""
    train, test = folder / "train", folder / "test"
    if not (train.is_dir() and test.is_dir()):
        return False
    return next(train.glob("*.wav"), None) is not None and next(test.glob(f"{ANOMALY}*.wav"), None) is not None


def read(folder: Path) -> Dataset:
    """The data set of a folder, clips brought to ten seconds; UsageError where a split would be empty."""
    store = FolderClips.scan(folder)
    splits: dict[str, list[Sample]] = {TRAIN: [], VALIDATION: [], TEST: []}

    def decoder(name: str) -> Callable[[], NDArray[np.int16]]:
        return lambda: fit_length(store.clip(name, SAMPLE_RATE_HZ), SAMPLE_RATE_HZ * CLIP_SECONDS)

    for name in store.names:
        place, file = PurePosixPath(name).parent.name, PurePosixPath(name).name
        label = CLASSES.index(ANOMALY) if file.startswith(ANOMALY) else CLASSES.index(NORMAL)
        if place == "train" and file.startswith(ANOMALY):
            raise UsageError(f"{name} is an anomaly in the training folder", hint="training takes normal sounds alone")
        if place == "train":
            split = VALIDATION if hash_split(name, test_percent=0) == VALIDATION else TRAIN
            splits[split].append(Sample(name, label, decoder(name)))
        elif place == "test":
            splits[TEST].append(Sample(name, label, decoder(name)))
    if not splits[VALIDATION]:
        splits[VALIDATION] = splits[TRAIN][-1:]
        splits[TRAIN] = splits[TRAIN][:-1]
    empty = [split for split, samples in splits.items() if not samples]
    if empty:
        raise UsageError(f"{folder} has no clips for {empty[0]}", hint="two or more normal clips are needed in train")
    return Dataset(
        LAYOUT,
        AUDIO,
        CLASSES,
        {split: tuple(samples) for split, samples in splits.items()},
        sample_rate_hz=SAMPLE_RATE_HZ,
        clip_samples=SAMPLE_RATE_HZ * CLIP_SECONDS,
    )
