"""What an emulated firmware heard: the results of ``tinyml emulate --wav`` and of ``--dataset`` with clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from tinyml.plan.realtime import AudioLoad
from tinyml.streaming.detector import Detection

Json = dict[str, Any]


def load_json(load: AudioLoad) -> Json:
    """What listening costs the core, as ``build --json`` and ``emulate --wav --json`` have it."""
    return {
        "stride_ms": load.stride_ms,
        "frame_instructions": load.frame_instructions,
        "network_instructions": load.network_instructions,
        "frame_ms": round(load.frame_ms, 3),
        "inference_ms": round(load.network_ms, 3),
        "load": round(load.load, 4),
        "real_time_factor": round(load.real_time_factor, 3),
        "ring_samples": load.ring_samples,
        "core_hz": load.core_hz,
        "exact": load.exact,
    }


def load_text(load: AudioLoad) -> str:
    """The same as a line."""
    kind = "instructions counted" if load.exact else "estimates"
    return (
        f"listening: a frame every {load.hop_ms:g} ms takes {load.frame_instructions:,} instructions"
        f" ({load.frame_ms:.2f} ms), an inference every {load.stride_ms:g} ms {load.network_ms:.1f} ms at"
        f" {load.core_hz / 1e6:g} MHz ({kind}); load {100 * load.load:.0f} %,"
        f" {load.real_time_factor:.1f} times real time"
    )


@dataclass(frozen=True, slots=True)
class AudioReport:
    """What listening costs a board: its load, and the front-end's bytes without the ring.

    ``microphone`` names the part and its pins, ``microphone_hz`` is the rate that its driver's dividers make; None
    where only a host has sound.
    """

    load: AudioLoad
    frontend_ram_bytes: int
    frontend_table_bytes: int
    microphone: str | None = None
    microphone_hz: float | None = None

    def to_json(self) -> Json:
        """The object under ``audio`` in ``tinyml build --app kws --json``."""
        return {
            **load_json(self.load),
            "hop_ms": self.load.hop_ms,
            "frontend_ram_bytes": self.frontend_ram_bytes,
            "frontend_table_bytes": self.frontend_table_bytes,
            "microphone": self.microphone,
            "microphone_hz": None if self.microphone_hz is None else round(self.microphone_hz, 2),
        }

    def __str__(self) -> str:
        """The lines of ``tinyml build``."""
        ring = 2 * self.load.ring_samples
        return (
            f"{load_text(self.load)}\nfront-end: {self.frontend_ram_bytes:,} bytes of RAM beside a ring of {ring:,},"
            f" {self.frontend_table_bytes:,} bytes of tables in flash\n{self._heard()}"
        )

    def _heard(self) -> str:
        if self.microphone is None or self.microphone_hz is None:
            return "microphone: none; sound comes from the host that emulates or debugs the board"
        return f"microphone: {self.microphone}; {self.microphone_hz:,.0f} samples a second"


@dataclass(frozen=True, slots=True)
class SoundFile:
    """One file that was heard: its length, what was detected, and the firmware's closing counts."""

    name: str
    seconds: float
    detections: tuple[Detection, ...]
    counts: Json


@dataclass(frozen=True, slots=True)
class SoundResult:
    """All files of a run; every feature, score and sum was compared with the reference's and is equal."""

    model: str
    board: str
    emulator: str
    files: tuple[SoundFile, ...]
    load: AudioLoad

    def to_json(self) -> Json:
        """The object that ``tinyml emulate --wav … --json`` prints."""
        return {
            "model": self.model,
            "board": self.board,
            "emulator": self.emulator,
            "equal": True,
            "audio": load_json(self.load),
            "files": [
                {
                    "name": file.name,
                    "seconds": round(file.seconds, 3),
                    "frames": file.counts["frames"],
                    "inferences": file.counts["inferences"],
                    "dropped_frames": file.counts["dropped_frames"],
                    "most_waiting_samples": file.counts["most_waiting_samples"],
                    "detections": [
                        {"word": d.word, "score": d.score_permille / 1000, "frame": d.frame, "time_ms": d.time_ms}
                        for d in file.detections
                    ],
                }
                for file in self.files
            ],
        }


def sound_report(result: SoundResult) -> list[RenderableType]:
    """The lines of the run: each detection with its time."""
    lines: list[RenderableType] = [
        Text.assemble(
            f"{len(result.files)} files through the microphone in {result.emulator}, features and scores against the"
            " reference: ",
            Text("equal", style="bold green"),
        )
    ]
    for file in result.files:
        dropped = file.counts["dropped_frames"]
        lines.append(
            Text(f"{file.name}: {file.seconds:.1f} s, {file.counts['inferences']} inferences, {dropped} frames dropped")
        )
        lines += [
            Text(f"  {d.time_ms / 1000:8.2f} s  {d.word} ({d.score_permille / 1000:.3f})") for d in file.detections
        ]
        if not file.detections:
            lines.append(Text("  nothing detected"))
    return [*lines, Text(load_text(result.load))]


@dataclass(frozen=True, slots=True)
class ClipsResult:
    """A data set's clips, one inference each; ``confusion[true][said]`` counts them."""

    model: str
    board: str
    emulator: str
    labels: tuple[str, ...]
    clips: int
    confusion: tuple[tuple[int, ...], ...]
    seconds: float

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return sum(row[index] for index, row in enumerate(self.confusion)) / self.clips

    def to_json(self) -> Json:
        """The object that ``tinyml emulate --dataset … --json`` prints for clips."""
        return {
            "model": self.model,
            "board": self.board,
            "emulator": self.emulator,
            "equal": True,
            "labels": list(self.labels),
            "clips": self.clips,
            "accuracy": self.accuracy,
            "confusion": [list(row) for row in self.confusion],
            "clips_per_minute": round(60 * self.clips / self.seconds, 1),
        }


def clips_report(result: ClipsResult) -> list[RenderableType]:
    """The lines of the run: accuracy and confusion."""
    width = max(map(len, result.labels))
    lines: list[RenderableType] = [
        Text.assemble(
            f"{result.clips} clips through the microphone in {result.emulator}, features and scores against the"
            " reference: ",
            Text("equal", style="bold green"),
        ),
        Text(f"accuracy {100 * result.accuracy:.1f} %, {60 * result.clips / result.seconds:.0f} clips a minute"),
        Text("true \\ said ".rjust(width + 1) + " ".join(f"{label:>{width}}" for label in result.labels)),
    ]
    for label, row in zip(result.labels, result.confusion, strict=True):
        lines.append(Text(f"{label:>11} " + " ".join(f"{number:>{width}}" for number in row)))
    return lines
