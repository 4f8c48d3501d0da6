"""Misses against false accepts: what a keyword detector does at every threshold over one stretch of sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinyml.evaluation.results import StreamCurve, StreamPoint
from tinyml.features.audio import AudioConfig
from tinyml.streaming.scene import Scene
from tinyml.streaming.score import StreamScore
from tinyml.streaming.settings import DetectorSettings
from tinyml.streaming.tune import Scores
from tinyml.streaming.tune import evaluate as score_detector

THRESHOLDS = tuple(round(0.30 + 0.02 * step, 2) for step in range(36))


def stream_curve(
    scores: Scores,
    scene: Scene,
    settings: DetectorSettings,
    config: AudioConfig,
    thresholds: Sequence[float] = THRESHOLDS,
) -> StreamCurve:
    """One point for each threshold, the same for every word, with the other settings as they are; ascending.

    ``chosen`` is the detector as ``settings`` has it, each word with its own threshold; its threshold is their mean.
    """
    points = []
    for threshold in sorted(thresholds):
        same = replace(settings, thresholds=dict.fromkeys(settings.thresholds, threshold))
        points.append(_point(threshold, score_detector(scores, scene, same, config)))
    mean = sum(settings.thresholds.values()) / max(1, len(settings.thresholds))
    chosen = _point(mean, score_detector(scores, scene, settings, config))
    return StreamCurve(scene.hours, len(scene.spoken), tuple(points), chosen)


def _point(threshold: float, score: StreamScore) -> StreamPoint:
    return StreamPoint(threshold, score.miss_rate, score.false_accepts_per_hour)
