"""CIFAR-10 (Krizhevsky 2009) in its ``python`` version: pickled batches, or the same pictures packed as JPEG.

Pickles can run code when loaded: these are read by an unpickler that knows NumPy arrays of bytes and nothing else.
Every tenth training picture is kept for validation.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import IMAGE, TEST, TRAIN, VALIDATION, Dataset, Sample
from tinyml.data.pictures import decode_picture
from tinyml.data.stores import DAMAGED_NPZ, has_arrays, open_npz
from tinyml.errors import UsageError

LAYOUT = "cifar10"
FOLDER = "cifar-10-batches-py"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SAFE_NAMES = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}
_PACKED_ARRAYS = ("blob", "lengths", "batch", "label", "names")


class _SafeUnpickler(pickle.Unpickler):
    """Knows what CIFAR-10's own pickles name, and refuses everything else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The named object if it is one of the few allowed."""
        if (module_name, global_name) not in _SAFE_NAMES:
            raise pickle.UnpicklingError(f"names {module_name}.{global_name}")
        return super().find_class(module_name.replace("numpy.core", "numpy._core"), global_name)


def recognise(folder: Path) -> bool:
    """Whether a folder has the batches, in itself or in ``cifar-10-batches-py``, or their packed form."""
    return bool(_batches(folder)) or _packed(folder) is not None


def read(folder: Path) -> Dataset:
    """The data set of a folder; UsageError where a batch is damaged or there is none for training or testing."""
    batches = _batches(folder)
    if batches:
        train: list[Sample] = []
        test: list[Sample] = []
        for path in batches:
            (test if path.name == "test_batch" else train).extend(_read_batch(path))
    else:
        packed = _packed(folder)
        if packed is None:
            raise UsageError(f"{folder} has no batches of CIFAR-10", hint="tinyml data get cifar10 gets them")
        train, test = _read_packed(packed)
    if not train or not test:
        raise UsageError(f"{folder} has {len(train)} training and {len(test)} test pictures, both are needed")
    return Dataset(LAYOUT, IMAGE, CLASSES, {**hold_out(train), TEST: tuple(test)}, (HOLD_OUT_NOTE,))


HOLD_OUT_NOTE = "every tenth training picture is kept for validation"


def hold_out(train: Sequence[Sample]) -> dict[str, tuple[Sample, ...]]:
    """Training and validation splits: every tenth sample, from the tenth on, validates."""
    return {
        TRAIN: tuple(sample for index, sample in enumerate(train) if index % 10 != 9),
        VALIDATION: tuple(train[9::10]),
    }


def _batches(folder: Path) -> list[Path]:
    for place in (folder / FOLDER, folder):
        found = sorted(path for path in place.glob("*_batch*") if path.is_file() and path.suffix == "")
        if found:
            return found
    return []


def _packed(folder: Path) -> Path | None:
    return next((path for path in sorted(folder.glob("*.npz")) if has_arrays(path, _PACKED_ARRAYS)), None)


def load_batch(path: Path) -> Mapping[bytes, Any]:
    """The dictionary of a pickled batch, its keys as bytes; UsageError where it is damaged or names other objects."""
    try:
        with path.open("rb") as file:
            loaded = _SafeUnpickler(file, encoding="bytes").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise UsageError(f"{path} is no readable CIFAR-10 batch ({error})", hint="get the data set again") from None
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} holds a {type(loaded).__name__}, not a dictionary")
    return loaded


def _read_batch(path: Path) -> list[Sample]:
    batch = load_batch(path)
    data, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise UsageError(f"{path} has no data of 3072 bytes a picture")
    if not isinstance(labels, list) or len(labels) != len(data) or not all(label in range(10) for label in labels):
        raise UsageError(f"{path} has not one label of 0 to 9 for each of its {len(data)} pictures")
    pictures = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return [_array_sample(f"{path.name}/{index:05d}", pictures[index], label) for index, label in enumerate(labels)]


def _array_sample(name: str, picture: NDArray[np.uint8], label: int) -> Sample:
    return Sample(name, int(label), lambda: np.ascontiguousarray(picture))


def _file_sample(name: str, file: bytes, label: int) -> Sample:
    return Sample(name, label, lambda: decode_picture(file), lambda: file)


def _read_packed(path: Path) -> tuple[list[Sample], list[Sample]]:
    """Samples of a packed file: JPEG files one after the other in ``blob``, with batch names and labels."""
    try:
        with open_npz(path) as packed:
            blob, lengths = packed["blob"].tobytes(), packed["lengths"].astype(np.int64)
            batches, labels = [str(name) for name in packed["batch"]], packed["label"].astype(np.int64)
    except DAMAGED_NPZ as error:
        raise UsageError(f"cannot read the packed pictures {path}: {error}", hint="get the file again") from None
    ends = np.cumsum(lengths)
    if not len(lengths) == len(batches) == len(labels) or (labels > 9).any() or int(lengths.sum()) != len(blob):
        raise UsageError(f"the packed pictures {path} do not agree with their lengths and labels")
    train: list[Sample] = []
    test: list[Sample] = []
    for index, (batch, label) in enumerate(zip(batches, labels, strict=True)):
        file = blob[int(ends[index] - lengths[index]) : int(ends[index])]
        sample = _file_sample(f"{batch}/{index:05d}", file, int(label))
        (test if batch == "test_batch" else train).append(sample)
    return train, test
