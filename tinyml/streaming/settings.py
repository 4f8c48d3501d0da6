"""What a model's manifest says of its detector, and the integers that follow from it for one rhythm of inferences.

The manifest holds times and probabilities, so that it does not depend on how often a board can run the network::

    "detector": {"stride_ms": 80, "average_ms": 400, "thresholds": {"yes": 0.8, …}, "refractory_ms": {"yes": 1000, …}}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyml.errors import UsageError

DEFAULT_STRIDE_MS = 80
DEFAULT_AVERAGE_MS = 400
DEFAULT_REFRACTORY_MS = 1_000
DEFAULT_THRESHOLD = 0.75
FULL_SCALE = 256
"""What a score of 1.0 is: TFLite quantises probabilities to steps of 1/256."""

MAX_AVERAGED = 64
_KEYS = ("stride_ms", "average_ms", "thresholds", "refractory_ms")


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """The detector of a model. ``thresholds`` has a mean probability for every word that is announced.

    ``stride_ms`` is how often the network should run, ``average_ms`` the time over which its scores are averaged, and a
    word is not announced again before its ``refractory_ms`` have passed since it was last above its threshold.
    """

    thresholds: Mapping[str, float]
    refractory_ms: Mapping[str, int]
    stride_ms: int = DEFAULT_STRIDE_MS
    average_ms: int = DEFAULT_AVERAGE_MS

    def to_json(self) -> dict[str, Any]:
        """The manifest's object."""
        return {
            "stride_ms": self.stride_ms,
            "average_ms": self.average_ms,
            "thresholds": dict(self.thresholds),
            "refractory_ms": dict(self.refractory_ms),
        }


@dataclass(frozen=True, slots=True)
class DetectorTable:
    """The detector's integers for one stride, as C has them; ``limits`` and ``refractory`` go by label.

    ``averaged`` inferences are summed; a label whose limit is 0 is never announced; ``refractory`` counts inferences.
    """

    labels: tuple[str, ...]
    averaged: int
    limits: tuple[int, ...]
    refractory: tuple[int, ...]


def settings_of(manifest: Mapping[str, Any], labels: Sequence[str]) -> DetectorSettings:
    """The detector of a model's manifest; where it has none, the manifest's ``threshold`` and default times.

    Words are the labels that do not begin with ``_``. Raises UsageError for a wrong key or value.
    """
    words = [label for label in labels if not label.startswith("_")]
    given = manifest.get("detector", {})
    if not isinstance(given, Mapping):
        raise UsageError("the manifest's detector is not an object")
    unknown = sorted(set(given) - set(_KEYS))
    if unknown:
        raise UsageError(f"the manifest's detector has an unknown key {unknown[0]!r}", hint="keys: " + ", ".join(_KEYS))
    told = manifest.get("threshold")
    threshold = _number(DEFAULT_THRESHOLD if told is None else told, "threshold", 0.0, 1.0)
    thresholds = _by_word(given.get("thresholds", dict.fromkeys(words, threshold)), "thresholds", labels)
    times = _by_word(given.get("refractory_ms", {}), "refractory_ms", labels)
    for word, value in thresholds.items():
        _number(value, f"threshold of {word!r}", 0.0, 1.0)
    return DetectorSettings(
        thresholds={word: float(value) for word, value in thresholds.items()},
        refractory_ms={
            word: round(_number(times.get(word, DEFAULT_REFRACTORY_MS), "refractory_ms", 0, 60_000))
            for word in thresholds
        },
        stride_ms=round(_number(given.get("stride_ms", DEFAULT_STRIDE_MS), "stride_ms", 1, 10_000)),
        average_ms=round(_number(given.get("average_ms", DEFAULT_AVERAGE_MS), "average_ms", 1, 60_000)),
    )


def detector_table(settings: DetectorSettings, labels: Sequence[str], stride_ms: float) -> DetectorTable:
    """The integers for a network that runs every ``stride_ms``."""
    averaged = min(MAX_AVERAGED, max(1, round(settings.average_ms / stride_ms)))

    def limit(label: str) -> int:
        threshold = settings.thresholds.get(label)
        return 0 if threshold is None else max(1, math.ceil(threshold * FULL_SCALE * averaged))

    return DetectorTable(
        labels=tuple(labels),
        averaged=averaged,
        limits=tuple(limit(label) for label in labels),
        refractory=tuple(math.ceil(settings.refractory_ms.get(label, 0) / stride_ms) for label in labels),
    )


def _by_word(value: object, what: str, labels: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"the manifest's detector.{what} is not an object of words")
    unknown = sorted(set(value) - set(labels))
    if unknown:
        raise UsageError(f"detector.{what} names {unknown[0]!r}, which is none of the model's labels")
    return value


def _number(value: object, what: str, low: float, high: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"the detector's {what} is {value!r}, not a number from {low:g} to {high:g}")
    return float(value)
