"""Augmentation of batches that are ready for a network: features masked, pictures cut out, examples mixed.

All of it is NumPy and drawn from the generator alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int8]
Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Masking:
    """SpecAugment's masks (Park et al. 2019, arXiv:1904.08779, section 2): how many, and how wide at most.

    Stretches of ``frames`` in time and bands of ``features``, each as wide as a uniform draw from 0 to its largest.
    """

    time_masks: int = 2
    frames: int = 8
    feature_masks: int = 1
    features: int = 3


def mask_features(codes: Codes, rng: np.random.Generator, options: Masking) -> Codes:
    """Copies of int8 features ``[n, frames, features, …]`` with masks; each is filled with its example's mean.

    Masking features is meant for spectral bands; cepstral coefficients are no neighbours of each other.
    """
    count, frames, features = codes.shape[:3]
    hidden = np.zeros((count, frames, features), bool)
    for _ in range(options.time_masks):
        hidden |= _stretches(count, frames, min(options.frames, frames), rng)[:, :, np.newaxis]
    for _ in range(options.feature_masks):
        hidden |= _stretches(count, features, min(options.features, features), rng)[:, np.newaxis, :]
    means = np.rint(codes.reshape(count, -1).mean(axis=1)).astype(np.int8)
    shape = (count, *([1] * (codes.ndim - 1)))
    wide = hidden.reshape(count, frames, features, *([1] * (codes.ndim - 3)))
    return np.where(wide, means.reshape(shape), codes)


def _stretches(count: int, length: int, widest: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """``[count, length]``: in each row one stretch of True, 0 to ``widest`` long, wholly inside."""
    widths = rng.integers(0, widest + 1, count)
    starts = rng.integers(0, length - widths + 1)
    places = np.arange(length)[np.newaxis]
    return np.asarray((places >= starts[:, np.newaxis]) & (places < (starts + widths)[:, np.newaxis]))


def cut_out(images: Pixels, side: float, rng: np.random.Generator, chance: float = 1.0) -> Pixels:
    """Copies of uint8 images ``[n, height, width, channels]`` with a square made grey, ``side`` of their width wide.

    The square's centre is anywhere in the picture, so that part of it may lie outside; it is filled with the picture's
    mean of each channel (DeVries and Taylor 2017, arXiv:1708.04552). ``chance`` is the share of pictures changed.
    The same generator cuts the same place at any size of the pictures.
    """
    hidden = _boxes(images.shape, np.full(len(images), side), rng)
    rows = np.flatnonzero(rng.random(len(images)) < chance)
    cut, chosen = images.copy(), images[rows]
    means = np.rint(chosen.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    cut[rows] = np.where(hidden[rows, ..., np.newaxis], means, chosen)
    return cut


def cut_mix(images: Pixels, targets: Reals, rng: np.random.Generator, chance: float) -> tuple[Pixels, Reals]:
    """A square of each picture replaced by the same of another, targets shared by area.

    Yun et al. 2019, arXiv:1905.04899: the square's area is uniform in the picture's, its centre anywhere. ``chance`` is
    the share of uint8 pictures ``[n, height, width, channels]`` changed; targets are ``[n, classes]``.
    """
    count = len(images)
    partner = rng.permutation(count)
    other = _boxes(images.shape, np.sqrt(rng.random(count)), rng)
    other &= (rng.random(count) < chance)[:, np.newaxis, np.newaxis]
    own = (1 - other.mean(axis=(1, 2), dtype=np.float64)).astype(np.float32)[:, np.newaxis]
    shared = np.asarray(own * targets + (1 - own) * targets[partner], np.float32)
    rows = np.flatnonzero(own[:, 0] < 1)
    mixed = images.copy()
    mixed[rows] = np.where(other[rows, ..., np.newaxis], images[partner[rows]], images[rows])
    return mixed, shared


def _boxes(shape: tuple[int, ...], sides: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """``[n, height, width]``: in each picture a square of True, its side a share of the width, centred anywhere."""
    count, height, width = shape[:3]
    spans = np.maximum(np.rint(sides * width), 0).astype(np.int64)[:, np.newaxis]
    top = (rng.random((count, 1)) * height).astype(np.int64) - spans // 2
    left = (rng.random((count, 1)) * width).astype(np.int64) - spans // 2
    rows, columns = np.arange(height)[np.newaxis], np.arange(width)[np.newaxis]
    inside_rows, inside_columns = (rows >= top) & (rows < top + spans), (columns >= left) & (columns < left + spans)
    return np.asarray(inside_rows[:, :, np.newaxis] & inside_columns[:, np.newaxis, :])


def mix_up(
    inputs: npt.NDArray[Any], targets: Reals, alpha: float, rng: np.random.Generator, chance: float = 1.0
) -> tuple[npt.NDArray[Any], Reals]:
    """Each example mixed with another of the batch: inputs ``[n, …]`` and targets ``[n, classes]`` by one share.

    Shares are drawn from Beta(alpha, alpha), the larger part an example's own (Zhang et al. 2018, arXiv:1710.09412;
    which of two is the first makes no difference to a batch). Integer inputs are rounded. ``chance`` is the share of
    examples mixed; an alpha of 0 mixes nothing.
    """
    if alpha <= 0:
        return inputs, targets
    count = len(inputs)
    drawn = rng.beta(alpha, alpha, count)
    share = np.where(rng.random(count) < chance, np.maximum(drawn, 1 - drawn), 1.0).astype(np.float32)
    partner = rng.permutation(count)

    rows = np.flatnonzero(share < 1)

    def mixed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        own = share[rows].reshape(len(rows), *([1] * (values.ndim - 1)))
        blend = own * values[rows] + (1 - own) * values[partner[rows]]
        out = values.copy()
        out[rows] = np.rint(blend) if np.issubdtype(values.dtype, np.integer) else blend
        return out

    return mixed(inputs), mixed(targets)
