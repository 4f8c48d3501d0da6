"""Intel Image Classification: natural scenes of six classes, 150 by 150, as Kaggle has them.

``seg_train/seg_train/CLASS`` is for training, a tenth of it by the hash of the name for validation;
``seg_test/seg_test/CLASS`` for testing; ``seg_pred`` has no labels and is left out. The repeated folder may be missing.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tinyml.data.base import IMAGE, TEST, TRAIN, VALIDATION, Dataset, Sample, hash_split
from tinyml.data.pictures import SUFFIXES, picture_sample
from tinyml.data.stores import FolderFiles
from tinyml.errors import UsageError

LAYOUT = "intel_images"
_TRAIN, _TEST, _UNLABELLED = "seg_train", "seg_test", "seg_pred"


def recognise(folder: Path) -> bool:
    """Whether there are the folders ``seg_train`` and ``seg_test``."""
    return (folder / _TRAIN).is_dir() and (folder / _TEST).is_dir()


def read(folder: Path) -> Dataset:
    """The data set of a folder; UsageError where a split is empty or test pictures have a class that is not trained."""
    if not recognise(folder):
        raise UsageError(f"{folder} has no folders {_TRAIN} and {_TEST}", hint="unpack the whole archive")
    store = FolderFiles.scan(folder, SUFFIXES)
    placed = []
    unlabelled = 0
    for name in store.names:
        parts = PurePosixPath(name).parts
        if parts[0] in (_TRAIN, _TEST) and len(parts) >= 3 and parts[-2] != parts[0]:
            placed.append((name, parts[0], parts[-2]))
        else:
            unlabelled += 1
    classes = tuple(sorted({label for _, part, label in placed if part == _TRAIN}))
    strange = sorted({label for _, _, label in placed} - set(classes))
    if len(classes) < 2 or strange:
        problem = f"the class {strange[0]!r} is in {_TEST} alone" if strange else f"{len(classes)} classes to train"
        raise UsageError(f"{folder}: {problem}", hint=f"each class has a folder below {_TRAIN} and below {_TEST}")
    splits: dict[str, list[Sample]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for name, part, label in placed:
        split = TEST if part == _TEST else hash_split(f"{label}/{PurePosixPath(name).name}", 10.0, 0.0)
        splits[split].append(picture_sample(store, name, classes.index(label)))
    empty = [split for split, samples in splits.items() if not samples]
    if empty:
        raise UsageError(f"{folder} has no pictures for {empty[0]}", hint="unpack the whole archive")
    notes = ["a tenth of the training pictures, chosen by name, is for validation"]
    if unlabelled:
        notes.append(f"{unlabelled} pictures without a label were left out")
    return Dataset(LAYOUT, IMAGE, classes, {split: tuple(found) for split, found in splits.items()}, tuple(notes))
