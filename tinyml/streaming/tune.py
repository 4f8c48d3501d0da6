"""Chooses each word's threshold and the averaging time from scores over a scene with words at known places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinyml.features.audio import AudioConfig
from tinyml.streaming.listen import detect
from tinyml.streaming.scene import Scene
from tinyml.streaming.score import StreamScore, score
from tinyml.streaming.settings import DetectorSettings, detector_table

AVERAGES_MS = (240, 320, 400, 560)
THRESHOLDS = tuple(round(0.5 + 0.02 * step, 2) for step in range(25))
MISS_COST, FALSE_COST = 1.0, 1.0
"""Where a target of false accepts can't be kept by any threshold, the sum of both decides."""


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
    return score(found, scene.spoken, tuple(settings.thresholds), scene.sample_rate_hz, scene.hours)


def tune(
    scores: Scores,
    scene: Scene,
    settings: DetectorSettings,
    config: AudioConfig,
    false_accepts_per_hour: float,
    averages_ms: Sequence[int] = AVERAGES_MS,
) -> DetectorSettings:
    """The settings with the fewest misses at no more false accepts of each word than its share of the target.

    For each averaging time every word gets the lowest threshold that keeps its share, all words together at first;
    then the averaging time with the fewest misses is taken, of equals the shortest.
    """
    words = tuple(settings.thresholds)
    share = false_accepts_per_hour / max(1, len(words)) * scene.hours
    best: tuple[float, DetectorSettings] | None = None
    for average in averages_ms:
        tried = {
            threshold: evaluate(
                scores,
                scene,
                replace(settings, average_ms=average, thresholds=dict.fromkeys(words, threshold)),
                config,
            )
            for threshold in THRESHOLDS
        }
        chosen = replace(settings, average_ms=average, thresholds={word: _lowest(tried, word, share) for word in words})
        result = evaluate(scores, scene, chosen, config)
        cost = result.missed * MISS_COST + max(0.0, result.false_accepts - share * len(words)) * FALSE_COST
        if best is None or cost < best[0]:
            best = cost, chosen
    assert best is not None
    return best[1]


def _lowest(tried: dict[float, StreamScore], word: str, share: float) -> float:
    kept = [threshold for threshold, result in tried.items() if result.words[word].false_accepts <= share]
    if kept:
        return min(kept)
    return min(tried, key=lambda threshold: (tried[threshold].words[word].false_accepts, threshold))
