"""Silence clips: stretches of background noise at seeded places and loudnesses, apart for each split."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import TEST, TRAIN, VALIDATION, CorruptSampleError, Sample, name_seed
from tinyml.data.stores import ClipStore

RMS_RANGE = (1.0, 8_000.0)
"""Loudness of silence clips, root mean square of the 16-bit samples: from a quiet room to a roaring tap."""

_PARTS = {TRAIN: (0.0, 0.8), VALIDATION: (0.8, 0.9), TEST: (0.9, 1.0)}


def load_noise(store: ClipStore, names: Iterable[str], rate_hz: int) -> tuple[NDArray[np.int16], ...]:
    """The noise recordings that can be decoded, whole: int16 ``[samples]`` each, at ``rate_hz``."""
    noise = []
    for name in names:
        try:
            noise.append(store.clip(name, rate_hz))
        except CorruptSampleError:
            continue
    return tuple(noise)


def silence_samples(
    noise: tuple[NDArray[np.int16], ...], split: str, count: int, label: int, length: int, seed: int
) -> list[Sample]:
    """``count`` silence clips of a split, ``length`` samples each; the same seed gives the same clips."""
    return [_sample(noise, split, f"_silence_/{split}-{index:05d}", label, length, seed) for index in range(count)]


def _sample(noise: tuple[NDArray[np.int16], ...], split: str, name: str, label: int, length: int, seed: int) -> Sample:
    def decode() -> NDArray[np.int16]:
        return make_silence(noise, split, np.random.default_rng(name_seed(name, seed)), length)

    return Sample(name, label, decode)


def make_silence(
    noise: tuple[NDArray[np.int16], ...], split: str, random: np.random.Generator, length: int
) -> NDArray[np.int16]:
    """One silence clip, int16 ``[length]``: the split's part of a recording at a log-uniform loudness, saturated.

    Each recording's first 80 % is for training, the next tenth for validation and the last for testing. Where there is
    no recording long enough, white noise takes its place.
    """
    parts = []
    for recording in noise:
        low, high = (int(len(recording) * bound) for bound in _PARTS[split])
        if high - low >= length:
            parts.append(recording[low:high])
    if parts:
        part = parts[int(random.integers(len(parts)))]
        start = int(random.integers(len(part) - length + 1))
        stretch = part[start : start + length].astype(np.float64)
    else:
        stretch = random.normal(size=length)
    wanted = float(np.exp(random.uniform(np.log(RMS_RANGE[0]), np.log(RMS_RANGE[1]))))
    rms = float(np.sqrt(np.mean(stretch**2)))
    scaled = stretch * (wanted / rms) if rms > 0 else stretch
    return np.asarray(np.clip(np.floor(scaled + 0.5), -32768, 32767), dtype=np.int16)
