"""Long stretches of sound with words at known places, made of a data set's clips and its background noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import CorruptSampleError, Dataset, Sample
from tinyml.data.speech_commands import SILENCE, UNKNOWN
from tinyml.errors import UsageError

GAP_S = (0.5, 4.0)
"""Between two words, uniformly drawn."""

OTHER_SHARE = 0.4
"""Of all words spoken, the share that is none of the keywords."""

FURTHER_SHARE = 0.5
"""Of those, the share that is of further folders where there are some."""

BACKGROUND_RMS = (4.0, 250.0)
_SECTION_S = 5

Sound = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word that is said in a scene: from ``start`` to ``end``, in samples."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A stretch of sound, int16, with the keywords that are said in it and the ``others``, each in their order."""

    sound: Sound
    sample_rate_hz: int
    spoken: tuple[Spoken, ...]
    others: tuple[Spoken, ...]

    @property
    def hours(self) -> float:
        """Its length."""
        return len(self.sound) / self.sample_rate_hz / 3600.0


def make_scene(dataset: Dataset, split: str, seconds: float, seed: int = 0, others_too: Sequence[Sample] = ()) -> Scene:
    """A scene of the clips of one split of ``dataset``; the same seed gives the same scene.

    Words come every few seconds, two in five of them none of the keywords, over background noise whose loudness
    changes; half of those are of ``others_too``, clips of further words, where there are any. No clip is said again
    before all of its kind have been said. Clips and noise of other splits take no part. Raises UsageError where the
    split has no keywords, or no clip can be read.
    """
    random = np.random.default_rng(seed)
    samples = dataset.samples(split)
    marks = {SILENCE: dataset.classes.index(SILENCE), UNKNOWN: dataset.classes.index(UNKNOWN)}
    words = [sample for sample in samples if sample.label not in marks.values()]
    others = [sample for sample in samples if sample.label == marks[UNKNOWN]]
    if not words:
        raise UsageError(f"the {split} split holds no keywords")
    rate = dataset.sample_rate_hz
    length = round(seconds * rate)
    mixed = _background([s for s in samples if s.label == marks[SILENCE]], length, rate, random)
    said, said_others, said_further = (_in_turns(pool, random) for pool in (words, others, others_too))
    spoken, between = list[Spoken](), list[Spoken]()
    place, damaged = round(random.uniform(*GAP_S) * rate), 0
    while place + dataset.clip_samples <= length:
        other = bool(others or others_too) and random.random() < OTHER_SHARE
        further = other and bool(others_too) and (not others or random.random() < FURTHER_SHARE)
        sample = next(said_further if further else said_others if other else said)
        try:
            clip = sample.decode()
        except CorruptSampleError as error:
            damaged += 1
            if damaged > len(words) + len(others) + len(others_too):
                raise UsageError(f"no clip of the {split} split can be read: {sample.name} {error}") from error
            continue
        damaged = 0
        mixed[place : place + len(clip)] += clip
        word = PurePosixPath(sample.name).parent.name if other else dataset.classes[sample.label]
        (between if other else spoken).append(Spoken(word, place, place + len(clip)))
        place += len(clip) + round(random.uniform(*GAP_S) * rate)
    sound = np.clip(np.floor(mixed + 0.5), -32768, 32767).astype(np.int16)
    return Scene(sound, rate, tuple(spoken), tuple(between))


def _in_turns(samples: Sequence[Sample], random: np.random.Generator) -> Iterator[Sample]:
    """Every sample once in a drawn order, then all again in another, without end; nothing where there are none."""
    while samples:
        for index in random.permutation(len(samples)):
            yield samples[int(index)]


def _background(silences: Sequence[Sample], length: int, rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Noise without gaps: clips of silence in halves that overlap, at a loudness that changes every few seconds."""
    track = np.zeros(length + 2 * rate)
    if not silences:
        return random.normal(0.0, BACKGROUND_RMS[0], length)
    loudness = 0.0
    half = rate // 2
    fade = np.sin(np.linspace(0.0, np.pi, 2 * half, endpoint=False))
    for number, start in enumerate(range(0, length, half)):
        if number % (2 * _SECTION_S) == 0:
            loudness = float(np.exp(random.uniform(*np.log(BACKGROUND_RMS))))
        noise = silences[int(random.integers(len(silences)))].decode()[: 2 * half].astype(np.float64)
        level = float(np.sqrt(np.mean(noise**2)))
        piece = fade[: len(noise)] * noise * (loudness / level if level > 0 else 0.0)
        track[start : start + len(piece)] += piece
    return track[:length]
