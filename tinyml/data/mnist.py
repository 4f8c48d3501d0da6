"""MNIST (LeCun, Cortes, Burges) and data sets in its idx format, plain or gzipped.

Format: two zero bytes, the type (8: uint8), the number of dimensions, each size as a big-endian uint32, the data.
Every tenth training picture is kept for validation.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import IMAGE, TEST, Dataset, Sample
from tinyml.data.cifar10 import HOLD_OUT_NOTE, hold_out
from tinyml.errors import UsageError

LAYOUT = "mnist"
_PARTS = {"train": ("train-images", "train-labels"), "test": ("t10k-images", "t10k-labels")}
_MAX_BYTES = 1 << 31


def _find(folder: Path, stem: str) -> Path | None:
    for place in (folder, folder / "MNIST" / "raw", folder / "raw"):
        for pattern in (f"{stem}?idx?-ubyte", f"{stem}?idx?-ubyte.gz"):
            found = sorted(place.glob(pattern))
            if found:
                return found[0]
    return None


def recognise(folder: Path) -> bool:
    """Whether a folder has the four idx files."""
    return all(_find(folder, stem) is not None for stems in _PARTS.values() for stem in stems)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The uint8 array of an idx file, gzipped or not; UsageError where it is damaged or of another type."""
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", hint="get the data set again") from None
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4 or len(data) < 4 + 4 * data[3]:
        raise UsageError(f"{path} is no idx file of bytes")
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    expected = 4 + 4 * data[3] + int(np.prod(shape, dtype=np.float64))
    if expected > _MAX_BYTES or len(data) != expected:
        raise UsageError(f"{path} has {len(data)} bytes, its header says {expected}", hint="get the data set again")
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def read(folder: Path) -> Dataset:
    """The data set of a folder; UsageError where a file is missing, damaged or does not agree with its labels."""
    parts = {part: _read_part(folder, part) for part in _PARTS}
    classes = 1 + max(sample.label for samples in parts.values() for sample in samples)
    names = tuple(str(index) for index in range(max(classes, 10)))
    return Dataset(LAYOUT, IMAGE, names, {**hold_out(parts["train"]), TEST: tuple(parts["test"])}, (HOLD_OUT_NOTE,))


def _read_part(folder: Path, part: str) -> list[Sample]:
    arrays = []
    for stem in _PARTS[part]:
        path = _find(folder, stem)
        if path is None:
            raise UsageError(f"{folder} has no {stem} idx file", hint="tinyml data get mnist gets them")
        arrays.append(read_idx(path))
    images, labels = arrays
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(labels):
        raise UsageError(f"{folder}: {part} images {list(images.shape)} do not agree with labels {list(labels.shape)}")
    return [_sample(f"{part}/{index:05d}", images[index], int(labels[index])) for index in range(len(labels))]


def _sample(name: str, picture: NDArray[np.uint8], label: int) -> Sample:
    return Sample(name, label, lambda: picture[..., np.newaxis])
