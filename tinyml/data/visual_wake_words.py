"""Visual Wake Words (Chowdhery et al. 2019, arXiv:1906.05721): is there a person in the picture?

Either pictures in ``person`` and ``notperson`` folders (as the MLPerf Tiny benchmark ships them), or COCO's pictures
with its annotations: a picture is labelled ``person`` when at least one annotation of that category has an ``area``
of 0.5 % of the picture's or more (as ``build_visualwakewords_data`` of TensorFlow's model garden labels them).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinyml.data.base import IMAGE, TEST, TRAIN, VALIDATION, Dataset, hash_split
from tinyml.data.image_folder import group, open_pictures, packed_pictures
from tinyml.data.pictures import SUFFIXES, picture_sample
from tinyml.data.stores import FileStore, FolderFiles, first_names
from tinyml.errors import UsageError

LAYOUT = "visual_wake_words"
CLASSES = ("notperson", "person")
AREA_SHARE = 0.005
_OTHER_NAMES = ("notperson", "non_person", "not_person", "no_person", "nonperson")
_ANNOTATIONS = re.compile(r"instances_(train|val)(\d{4})\.json")


def recognise(folder: Path) -> bool:
    """Whether there are ``person`` and ``notperson`` folders, or COCO's instance annotations."""
    if _annotation_files(folder):
        return True
    archive = packed_pictures(folder)
    if archive is not None and not FolderFiles.scan(folder, SUFFIXES).names:
        return _other_name(_class_folders(first_names(archive))) is not None
    names = {child.name for level in ("*", "*/*", "*/*/*") for child in folder.glob(level) if child.is_dir()}
    return _other_name(names) is not None


def read(folder: Path) -> Dataset:
    """The data set of a folder; classes are ``notperson`` and ``person``; UsageError where it cannot be understood."""
    files = _annotation_files(folder)
    if files:
        return _read_coco(folder, files)
    store = open_pictures(folder)
    other = _other_name(_class_folders(store.names))
    if other is None:
        raise UsageError(
            f"{folder} has no person and notperson folders and no annotations",
            hint="expected train/person, train/notperson and so on, or annotations/instances_train2014.json of COCO",
        )
    kept = _OnlyClasses(store, (other, "person"))
    return group(kept, folder, LAYOUT, (other, "person"))


class _OnlyClasses:
    """A store's pictures that lie in one of the class folders."""

    def __init__(self, store: FileStore, classes: tuple[str, ...]) -> None:
        self._store = store
        self.names = tuple(name for name in store.names if set(name.split("/")[:-1]) & set(classes))

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return self._store.read(name)


def _class_folders(names: Iterable[str]) -> set[str]:
    return {part for name in names for part in name.split("/")[:-1]}


def _other_name(folders: set[str]) -> str | None:
    """The name of the folder without persons, if there is one beside ``person``."""
    return next((name for name in _OTHER_NAMES if name in folders), None) if "person" in folders else None


def _annotation_files(folder: Path) -> dict[str, Path]:
    """COCO's annotation files by ``train`` and ``val``; the latest year where there are several."""
    found = {}
    for place in (folder / "annotations", folder):
        for path in sorted(place.glob("instances_*.json")):
            match = _ANNOTATIONS.fullmatch(path.name)
            if match and match[1] not in found:
                found[match[1]] = path
    return found


def coco_labels(annotations: Mapping[str, Any], *, category: str = "person") -> dict[str, int]:
    """Label (1 with, 0 without) of each picture's file name by the area rule; UsageError for another structure."""
    try:
        wanted = {item["id"] for item in annotations["categories"] if item["name"] == category}
        areas = {item["id"]: item["width"] * item["height"] for item in annotations["images"]}
        names = {item["id"]: str(item["file_name"]) for item in annotations["images"]}
        positive = {
            item["image_id"]
            for item in annotations["annotations"]
            if item["category_id"] in wanted and item["area"] / areas[item["image_id"]] >= AREA_SHARE
        }
    except KeyError as error:
        raise UsageError(f"the annotations have not COCO's structure: {error} is missing") from None
    except (TypeError, ZeroDivisionError) as error:
        raise UsageError(f"the annotations have not COCO's structure: {error}") from None
    if not wanted:
        raise UsageError(f"the annotations have no category {category!r}")
    return {name: int(key in positive) for key, name in names.items()}


def _read_coco(folder: Path, files: Mapping[str, Path]) -> Dataset:
    store = FolderFiles.scan(folder, SUFFIXES)
    by_file = {name.rpartition("/")[2]: name for name in store.names}
    samples: dict[str, list[Any]] = {TRAIN: [], VALIDATION: [], TEST: []}
    missing = 0
    for part, path in files.items():
        try:
            annotations = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise UsageError(f"cannot read {path}: {error}", hint="get the annotations again") from None
        for file_name, label in sorted(coco_labels(annotations).items()):
            name = by_file.get(file_name.rpartition("/")[2])
            if name is None:
                missing += 1
                continue
            split = TEST if part == "val" else hash_split(file_name, 10.0, 0.0)
            samples[split].append(picture_sample(store, name, label))
    notes = ["COCO's validation pictures are for testing, a tenth of its training pictures for validation"]
    if missing:
        notes.append(f"{missing} annotated pictures are not in the folder and were left out")
    return Dataset(LAYOUT, IMAGE, CLASSES, {split: tuple(found) for split, found in samples.items()}, tuple(notes))
