"""A model listening to a stretch of sound as the firmware does: features, scheduled inferences, detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml.features.audio import AudioConfig, audio_features
from tinyml.streaming.detector import Detection, Detector
from tinyml.streaming.settings import FULL_SCALE, DetectorTable

Network = Callable[[NDArray[np.int8]], NDArray[np.int8]]
"""Features of one window ``[frames, features]`` → the scores ``[labels]``, int8 with zero point -128, scale 1/256."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """After which feature frames the network runs: number ``first`` and every ``every``-th one from there."""

    first: int
    every: int

    def frames(self, count: int) -> range:
        """The numbers of those frames among the first ``count``."""
        return range(self.first, count, self.every)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What listening gave: ``features`` [frames, features]; for each inference its frame, scores and the sums."""

    features: NDArray[np.int8]
    frames: NDArray[np.int64]
    scores: NDArray[np.int8]
    sums: NDArray[np.int64]
    detections: tuple[Detection, ...]


def listen(
    sound: NDArray[np.int16],
    config: AudioConfig,
    window_frames: int,
    network: Network,
    table: DetectorTable,
    schedule: Schedule,
    features: NDArray[np.int8] | None = None,
) -> Heard:
    """Run ``network`` over ``sound`` (int16 samples at the front-end's rate) and detect words in its scores.

    ``features`` are those of the sound where they are known already.
    """
    if features is None:
        features = audio_features(sound, config)
    frames = [frame for frame in schedule.frames(len(features)) if frame >= window_frames - 1]
    scores = [network(features[frame - window_frames + 1 : frame + 1]) for frame in frames]
    detector = Detector(table)
    sums, detections = [], []
    for frame, values in zip(frames, scores, strict=True):
        announced = detector.push(values)
        sums.append(detector.sums)
        if announced is not None:
            label, score = announced
            detections.append(Detection(table.labels[label], score, frame, frame_end_ms(config, frame)))
    shape = (len(frames), len(table.labels))
    return Heard(
        features,
        np.asarray(frames, np.int64),
        np.asarray(scores, np.int8).reshape(shape),
        np.asarray(sums, np.int64).reshape(shape),
        tuple(detections),
    )


def frame_end_ms(config: AudioConfig, frame: int) -> int:
    """When a frame's last sample has come, in whole milliseconds since the start."""
    return (frame * config.hop_samples + config.window_samples) * 1000 // config.sample_rate_hz


def detect(
    frames: NDArray[np.int64], scores: NDArray[np.int8], table: DetectorTable, config: AudioConfig
) -> Iterator[Detection]:
    """The detections in scores that are already known, to try other settings without running the network again.

    What :class:`Detector` says of ``scores`` [inferences, labels], all sums at once.
    """
    known = np.cumsum(scores.astype(np.int64) + 128, axis=0)
    sums = known.copy()
    sums[table.averaged :] -= known[: -table.averaged]
    words = np.flatnonzero(table.limits)
    if not len(words) or not len(scores):
        return
    best = words[sums[:, words].argmax(axis=1)]
    largest = sums[np.arange(len(sums)), best]
    full = FULL_SCALE * table.averaged
    last: dict[int, int] = {}
    for place in np.flatnonzero(largest >= np.asarray(table.limits)[best]).tolist():
        label, frame = int(best[place]), int(frames[place])
        if label not in last or place - last[label] >= table.refractory[label]:
            permille = (int(largest[place]) * 1000 + full // 2) // full
            yield Detection(table.labels[label], permille, frame, frame_end_ms(config, frame))
        last[label] = place
