"""Tiny ImageNet (Stanford CS231N): 200 classes of ImageNet's pictures, 64 by 64.

``wnids.txt`` lists the classes, ``words.txt`` says what they are. Training pictures lie in ``train/ID/images``; those
of ``val/images`` have their classes in ``val/val_annotations.txt``; those of ``test`` have no labels that are public.
So the validation pictures are for testing, and a tenth of the training pictures, by the hash of the name, validates.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tinyml.data.base import IMAGE, TEST, TRAIN, VALIDATION, Dataset, Sample, hash_split
from tinyml.data.pictures import SUFFIXES, picture_sample
from tinyml.data.stores import FolderFiles
from tinyml.errors import UsageError

LAYOUT = "tiny_imagenet"
FOLDER = "tiny-imagenet-200"
_ANNOTATIONS = "val/val_annotations.txt"


def recognise(folder: Path) -> bool:
    """Whether a folder, or ``tiny-imagenet-200`` in it, has the list of classes and the annotations."""
    return _root(folder) is not None


def read(folder: Path) -> Dataset:
    """The data set of a folder; UsageError where lists or pictures are missing or do not agree."""
    root = _root(folder)
    if root is None:
        raise UsageError(f"{folder} has no wnids.txt and {_ANNOTATIONS}", hint="tinyml data get tiny_imagenet gets it")
    ids = tuple(line.strip() for line in _lines(root / "wnids.txt") if line.strip())
    if len(set(ids)) != len(ids) or len(ids) < 2:
        raise UsageError(f"{root / 'wnids.txt'} lists {len(ids)} classes, {len(set(ids))} of them different")
    number = {name: index for index, name in enumerate(ids)}
    annotated = _annotations(root, number)
    splits: dict[str, list[Sample]] = {TRAIN: [], VALIDATION: [], TEST: []}
    store = FolderFiles.scan(root, SUFFIXES)
    unlabelled = 0
    for name in store.names:
        parts = PurePosixPath(name).parts
        if parts[0] == "train" and len(parts) > 2 and parts[1] in number:
            split = hash_split("/".join((parts[1], parts[-1])), 10.0, 0.0)
            splits[split].append(picture_sample(store, name, number[parts[1]]))
        elif parts[0] == "val" and parts[-1] in annotated:
            splits[TEST].append(picture_sample(store, name, annotated[parts[-1]]))
        else:
            unlabelled += 1
    empty = [split for split, samples in splits.items() if not samples]
    if empty:
        raise UsageError(f"{root} has no pictures for {empty[0]}", hint="unpack the whole archive")
    notes = ["Tiny ImageNet's validation pictures are for testing, a tenth of its training pictures for validation"]
    missing = len(annotated) - len(splits[TEST])
    if missing:
        notes.append(f"{missing} annotated validation pictures are not in the folder")
    if unlabelled:
        notes.append(f"{unlabelled} pictures without a label were left out")
    found = {split: tuple(samples) for split, samples in splits.items()}
    return Dataset(LAYOUT, IMAGE, _names(root, ids), found, tuple(notes))


def _root(folder: Path) -> Path | None:
    for place in (folder, folder / FOLDER):
        if (place / "wnids.txt").is_file() and (place / _ANNOTATIONS).is_file():
            return place
    return None


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _annotations(root: Path, number: dict[str, int]) -> dict[str, int]:
    """Class number by file name; each line is the file, its class and a box, between tabs."""
    found = {}
    for place, line in enumerate(_lines(root / _ANNOTATIONS), 1):
        fields = line.split("\t")
        if not line.strip():
            continue
        if len(fields) < 2 or fields[1].strip() not in number:
            raise UsageError(
                f"line {place} of {root / _ANNOTATIONS} names no picture and a class of wnids.txt",
                hint="get the data set again",
            )
        found[fields[0].strip()] = number[fields[1].strip()]
    return found


def _names(root: Path, ids: tuple[str, ...]) -> tuple[str, ...]:
    """What the classes are, the first synonym each; its id where there is none or another class has the same."""
    words = {}
    if (root / "words.txt").is_file():
        for line in _lines(root / "words.txt"):
            key, _, text = line.partition("\t")
            words[key.strip()] = text.split(",")[0].strip()
    named = [words.get(key) or key for key in ids]
    return tuple(name if named.count(name) == 1 else key for name, key in zip(named, ids, strict=True))
