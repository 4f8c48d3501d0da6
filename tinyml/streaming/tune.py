"""Chooses each word's threshold and the averaging time from scores over a scene with words at known places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinyml.features.audio import AudioConfig
from tinyml.streaming.listen import detect
from tinyml.streaming.scene import Scene
from tinyml.streaming.score import StreamScore, score
from tinyml.streaming.settings import DetectorSettings, detector_table

AVERAGES_MS = (240, 320, 400, 560, 720)
THRESHOLDS = tuple(round(0.5 + 0.02 * step, 2) for step in range(25))
OWN_SHARE = 0.5
"""How much a word's own false accepts tell of it, the rest is told by the mean of all words: a word has few."""

PRICES = tuple(2.0**power for power in range(-6, 9))
"""What a false accept may cost, in misses: the lowest that keeps the target is taken, of those that do."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the network said over a scene: the frame of each inference and its int8 scores ``[inferences, labels]``."""

    frames: NDArray[np.int64]
    scores: NDArray[np.int8]
    labels: tuple[str, ...]
    stride_ms: float


def evaluate(scores: Scores, scene: Scene, settings: DetectorSettings, config: AudioConfig) -> StreamScore:
    """How the detector does on scores that are known."""
    table = detector_table(settings, scores.labels, scores.stride_ms)
    found = list(detect(scores.frames, scores.scores, table, config))
    return score(found, scene.spoken, tuple(settings.thresholds), scene.sample_rate_hz, scene.hours, scene.others)


def tune(
    scores: Scores,
    scene: Scene,
    settings: DetectorSettings,
    config: AudioConfig,
    false_accepts_per_hour: float,
    averages_ms: Sequence[int] = AVERAGES_MS,
) -> DetectorSettings:
    """The settings with the fewest misses at no more false accepts than the target, of all words together.

    The averaging time is the one with the fewest misses where all words have one threshold; of equals the shortest.
    A word then gets the threshold that costs least, where a miss costs 1 and a false accept a price that is the same
    for all words: so a false accept is spent where it saves the most misses. Half of a word's false accepts are taken
    to be the mean of all words': in an hour a word has few, and a single clip that sounds like it must not set its
    threshold. The lowest price that keeps the target decides; where none does, the fewest false accepts.
    """
    words = tuple(settings.thresholds)
    allowed = false_accepts_per_hour * scene.hours

    def with_thresholds(average_ms: int, thresholds: dict[str, float]) -> tuple[StreamScore, DetectorSettings]:
        chosen = replace(settings, average_ms=average_ms, thresholds=thresholds)
        return evaluate(scores, scene, chosen, config), chosen

    def cost(result: StreamScore) -> tuple[float, int]:
        return max(0.0, result.false_accepts - allowed), result.missed

    tried = {
        average: [with_thresholds(average, dict.fromkeys(words, one))[0] for one in THRESHOLDS]
        for average in averages_ms
    }
    average = min(tried, key=lambda one: min(cost(result) for result in tried[one]))
    found = []
    for thresholds in _priced(tried[average], words):
        found.append(with_thresholds(average, thresholds))
        if found[-1][0].false_accepts <= allowed:
            break
    return min(found, key=lambda one: cost(one[0]))[1]


def _priced(tried: Sequence[StreamScore], words: Sequence[str]) -> Iterator[dict[str, float]]:
    """The thresholds of the words for each price of a false accept, from the lowest price on, no choice twice."""
    missed = np.array([[result.words[word].missed for word in words] for result in tried], np.float64)
    own = np.array([[result.words[word].false_accepts for word in words] for result in tried], np.float64)
    false = OWN_SHARE * own + (1.0 - OWN_SHARE) * own.mean(axis=1, keepdims=True)
    before: dict[str, float] = {}
    for price in PRICES:
        places = (missed + price * false).argmin(axis=0)
        now = {word: THRESHOLDS[place] for word, place in zip(words, places, strict=True)}
        if now != before:
            yield now
        before = now
