"""Pictures in a folder a class, below ``train``, ``val`` and ``test`` folders or without them.

Without split folders each picture's split follows from a hash of its name: a tenth for validation, a tenth for testing.
Where only one of ``val`` and ``test`` is there, validation is a tenth of the training pictures, or the test split is
the validation split, and the data set's notes say so.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tinyml.data.base import IMAGE, SPLITS, TEST, TRAIN, VALIDATION, Dataset, hash_split, require_folder
from tinyml.data.pictures import SUFFIXES, picture_sample
from tinyml.data.stores import FileStore, FolderFiles, TarFiles
from tinyml.errors import UsageError

LAYOUT = "image_folder"

SPLIT_FOLDERS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
}

_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def packed_pictures(folder: Path) -> Path | None:
    """The only tar archive of a folder that has nothing else to read, or None."""
    archives = [path for path in sorted(folder.iterdir()) if path.name.endswith(_TAR_ENDINGS)]
    return archives[0] if len(archives) == 1 else None


def open_pictures(folder: Path) -> FileStore:
    """The pictures below a folder, or those of the one tar archive that lies there."""
    require_folder(folder)
    files = FolderFiles.scan(folder, SUFFIXES)
    archive = packed_pictures(folder)
    return TarFiles.load(archive, SUFFIXES) if not files.names and archive is not None else files


def recognise(folder: Path) -> bool:
    """Whether there are pictures in class folders, or a tar archive."""
    return packed_pictures(folder) is not None or bool(FolderFiles.scan(folder, SUFFIXES).names)


def read(folder: Path) -> Dataset:
    """The data set of a folder; UsageError where there are no pictures or fewer than two classes."""
    return group(open_pictures(folder), folder, LAYOUT)


def group(store: FileStore, folder: Path, layout: str, classes: tuple[str, ...] = ()) -> Dataset:
    """Samples of a store's pictures by split folder and class folder; ``classes`` fixes the class order."""
    placed = [(name, *_place(name)) for name in store.names]
    placed = [(name, split, label) for name, split, label in placed if label]
    has_splits = any(split for _, split, _ in placed)
    placed = [item for item in placed if bool(item[1]) == has_splits]
    found = tuple(sorted({label for _, _, label in placed}))
    if len(found) < 2:
        raise UsageError(
            f"{folder} has pictures of {len(found)} classes, two or more are needed",
            hint="put the pictures of each class in a folder of its own, below train, val and test or without them",
        )
    order = classes or found
    notes = [] if has_splits else ["no split folders: a tenth for validation and a tenth for testing, by name"]
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    labels = {name: order.index(label) for name, _, label in placed}
    for name, split, _ in placed:
        splits[split or hash_split("/".join(PurePosixPath(name).parts[-2:]))].append(name)
    if has_splits:
        notes += _fill(splits, folder)
    samples = {split: tuple(picture_sample(store, name, labels[name]) for name in splits[split]) for split in SPLITS}
    return Dataset(layout, IMAGE, order, samples, tuple(notes))


def _place(name: str) -> tuple[str, str]:
    """The split (or "") and the class (or "") that a picture's folders say."""
    folders = PurePosixPath(name).parts[:-1]
    for index, part in enumerate(folders):
        if part.lower() in SPLIT_FOLDERS:
            return SPLIT_FOLDERS[part.lower()], folders[index + 1] if index + 1 < len(folders) else ""
    return "", folders[-1] if folders else ""


def _fill(splits: dict[str, list[str]], folder: Path) -> list[str]:
    """Make the splits that the folders lack; what was made is returned as notes."""
    notes = []
    if not splits[TRAIN]:
        raise UsageError(f"{folder} has split folders but no training pictures", hint="put them below train/")
    if not splits[VALIDATION]:
        held = [name for name in splits[TRAIN] if hash_split(name, 10.0, 0.0) == VALIDATION]
        splits[VALIDATION] = held
        splits[TRAIN] = [name for name in splits[TRAIN] if name not in set(held)]
        notes.append(f"no validation folder: {len(held)} training pictures, chosen by name, are kept for validation")
    if not splits[TEST]:
        splits[TEST] = list(splits[VALIDATION])
        notes.append("no test folder: testing uses the validation pictures")
    return notes
