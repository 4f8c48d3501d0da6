"""How well words are detected in a stream: misses and false accepts against the places where words are said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinyml.streaming.detector import Detection
from tinyml.streaming.scene import Spoken

LATEST_S = 1.0
"""A detection counts for a word up to this long after its clip has ended: the smoothing takes its time."""


@dataclass(frozen=True, slots=True)
class WordScore:
    """One keyword: how often it was said and missed, and how often it was detected where it was not said."""

    spoken: int
    missed: int
    false_accepts: int


@dataclass(frozen=True, slots=True)
class Mistaken:
    """False accepts of the word ``heard`` while ``said`` was said, empty where nothing was.

    ``keyword`` tells whether ``said`` is one: said in another word's place, or announced twice.
    """

    said: str
    heard: str
    keyword: bool
    times: int


@dataclass(frozen=True, slots=True)
class StreamScore:
    """All of a scene. ``latency_ms`` is the median time from the middle of a word's clip to its detection.

    ``mistaken`` says what the false accepts were, the most frequent first.
    """

    hours: float
    words: dict[str, WordScore]
    latency_ms: float | None
    mistaken: tuple[Mistaken, ...] = ()

    @property
    def spoken(self) -> int:
        """Keywords that were said."""
        return sum(word.spoken for word in self.words.values())

    @property
    def missed(self) -> int:
        """Keywords that were said and not detected."""
        return sum(word.missed for word in self.words.values())

    @property
    def false_accepts(self) -> int:
        """Detections of what was not said."""
        return sum(word.false_accepts for word in self.words.values())

    @property
    def miss_rate(self) -> float:
        """Share of the keywords said."""
        return self.missed / self.spoken if self.spoken else 0.0

    @property
    def false_accepts_per_hour(self) -> float:
        """False accepts by the scene's length."""
        return self.false_accepts / self.hours

    def to_json(self) -> dict[str, Any]:
        """The score as a JSON object."""
        return {
            "hours": round(self.hours, 4),
            "spoken": self.spoken,
            "missed": self.missed,
            "miss_rate": round(self.miss_rate, 4),
            "false_accepts": self.false_accepts,
            "false_accepts_per_hour": round(self.false_accepts_per_hour, 2),
            "latency_ms": self.latency_ms,
            "words": {
                name: {"spoken": word.spoken, "missed": word.missed, "false_accepts": word.false_accepts}
                for name, word in self.words.items()
            },
            "mistaken": [asdict(one) for one in self.mistaken],
        }


def score(
    detections: Sequence[Detection],
    spoken: Sequence[Spoken],
    words: Sequence[str],
    rate_hz: int,
    hours: float,
    others: Sequence[Spoken] = (),
) -> StreamScore:
    """Match detections with the words that are said: each word at most once, each detection to the earliest left.

    What is left of the detections, a second announcement of one word among them, are false accepts. ``others`` are the
    words said that are no keywords.
    """
    taken: set[int] = set()
    latencies: list[float] = []
    false: dict[str, int] = dict.fromkeys(words, 0)
    mistaken: Counter[tuple[str, str, bool]] = Counter()
    for detection in detections:
        sample = detection.time_ms * rate_hz / 1000.0
        match = next(
            (
                index
                for index, said in enumerate(spoken)
                if index not in taken and said.word == detection.word and _during(said, sample, rate_hz)
            ),
            None,
        )
        if match is None:
            false[detection.word] = false.get(detection.word, 0) + 1
            mistaken[_said_at(sample, spoken, others, rate_hz, detection.word)] += 1
        else:
            taken.add(match)
            latencies.append(detection.time_ms - 500.0 * (spoken[match].start + spoken[match].end) / rate_hz)
    by_word = {
        word: WordScore(
            spoken=sum(said.word == word for said in spoken),
            missed=sum(said.word == word and index not in taken for index, said in enumerate(spoken)),
            false_accepts=false[word],
        )
        for word in false
    }
    return StreamScore(
        hours,
        by_word,
        round(float(np.median(latencies)), 1) if latencies else None,
        tuple(Mistaken(*what, times) for what, times in mistaken.most_common()),
    )


def _during(said: Spoken, sample: float, rate_hz: int) -> bool:
    return said.start <= sample <= said.end + LATEST_S * rate_hz


def _said_at(
    sample: float, spoken: Sequence[Spoken], others: Sequence[Spoken], rate_hz: int, heard: str
) -> tuple[str, str, bool]:
    """What was said last when ``heard`` was announced: the word, what was heard, whether the word is a keyword."""
    said = [(one.start, one.word, keyword) for kind, keyword in ((spoken, True), (others, False)) for one in kind
            if _during(one, sample, rate_hz)]  # fmt: skip
    _, word, keyword = max(said, default=(0, "", False))
    return word, heard, keyword
