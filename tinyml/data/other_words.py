"""Clips of further words that no network of a data set's classes has to know: folders beside the data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml.data.audio import fit_length
from tinyml.data.base import Dataset, Sample
from tinyml.data.speech_commands import UNKNOWN
from tinyml.data.stores import ClipStore, open_clips
from tinyml.errors import UsageError


def other_samples(folders: Sequence[Path], dataset: Dataset) -> tuple[Sample, ...]:
    """The clips of the folders that are in no folder named like a keyword or with a leading underscore.

    They are as long as the data set's clips, at its rate, and labelled unknown; 0 where it has no such class. Raises
    UsageError where a folder is missing or holds none.
    """
    rate_hz, length = dataset.sample_rate_hz, dataset.clip_samples
    label = dataset.classes.index(UNKNOWN) if UNKNOWN in dataset.classes else 0

    def decoder(store: ClipStore, name: str) -> Callable[[], NDArray[np.int16]]:
        return lambda: fit_length(store.clip(name, rate_hz), length)

    samples = []
    for folder in folders:
        store = open_clips(folder)
        words = {name: Path(name).parent.name for name in store.names}
        names = [name for name, word in words.items() if word not in dataset.classes and not word.startswith("_")]
        if not names:
            raise UsageError(f"{folder} holds no clips of other words", hint="each word has a folder of its WAV files")
        samples += [Sample(name, label, decoder(store, name)) for name in names]
    return tuple(samples)
