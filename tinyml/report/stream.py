"""How a model detects words in a stream: the result of ``tinyml stream``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tinyml.streaming.score import StreamScore
from tinyml.streaming.settings import DetectorSettings

MISTAKEN_SHOWN = 5


@dataclass(frozen=True, slots=True)
class StreamResult:
    """A scene heard: ``listener`` is ``python`` or the board whose firmware heard it in emulation.

    ``tuned`` has other settings that were found for this very scene and what they give on it, None where not wanted.
    """

    model: str
    split: str
    listener: str
    stride_ms: float
    others: int
    dropped_frames: int
    settings: DetectorSettings
    score: StreamScore
    tuned: tuple[DetectorSettings, StreamScore] | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that ``tinyml stream --json`` prints."""
        return {
            "model": self.model,
            "split": self.split,
            "listener": self.listener,
            "stride_ms": self.stride_ms,
            "other_words": self.others,
            "dropped_frames": self.dropped_frames,
            "detector": self.settings.to_json(),
            "score": self.score.to_json(),
            "tuned_detector": self.tuned[0].to_json() if self.tuned else None,
            "tuned_score": self.tuned[1].to_json() if self.tuned else None,
        }


def stream_report(result: StreamResult) -> list[RenderableType]:
    """The lines of the run: each word's misses and false accepts."""
    lines: list[RenderableType] = [
        Text(
            f"{result.model}: {60 * result.score.hours:.0f} minutes of the {result.split} split, heard by"
            f" {result.listener} with one inference every {result.stride_ms:g} ms; {result.others} other words said"
        ),
        *_table("", result.settings, result.score),
    ]
    if result.dropped_frames:
        lines.append(Text(f"{result.dropped_frames} frames were dropped", style="yellow"))
    if result.tuned is not None:
        lines += _table("tuned", *result.tuned)
    return lines


def _table(title: str, settings: DetectorSettings, score: StreamScore) -> list[RenderableType]:
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("word")
    for heading in ("threshold", "said", "missed", "false accepts"):
        table.add_column(heading, justify="right")
    for word, one in score.words.items():
        threshold = f"{settings.thresholds.get(word, 0.0):.2f}"
        table.add_row(word, threshold, str(one.spoken), str(one.missed), str(one.false_accepts))
    latency = "" if score.latency_ms is None else f", {score.latency_ms:.0f} ms after a word's middle"
    summary = (
        f"averaged over {settings.average_ms} ms: {100 * score.miss_rate:.1f} % of the words missed,"
        f" {score.false_accepts_per_hour:.1f} false accepts an hour{latency}"
    )
    return [table, Text(summary), *_mistaken(score)]


def _mistaken(score: StreamScore) -> list[RenderableType]:
    """What was said where words were falsely accepted, the most frequent ones by name."""
    if not score.mistaken:
        return []
    kinds = {"other words": 0, "keywords": 0, "neither": 0}
    for one in score.mistaken:
        kinds["keywords" if one.keyword else "other words" if one.said else "neither"] += one.times
    parts = ", ".join(f"{times} at {kind}" for kind, times in kinds.items() if times)
    named = [f"{one.said} as {one.heard} {one.times}x" for one in score.mistaken if one.said and one.times > 1]
    often = f"; most often {', '.join(named[:MISTAKEN_SHOWN])}" if named else ""
    return [Text(f"false accepts: {parts}{often}", style="dim")]
