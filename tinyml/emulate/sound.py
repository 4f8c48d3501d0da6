"""Sound into an emulated firmware: its host's file is the microphone, and its journal says what it made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.boards import Board
from tinyml.emulate.run import DEFAULT_TIMEOUT_S, run_application
from tinyml.errors import BuildError
from tinyml.streaming.detector import Detection
from tinyml.streaming.listen import Heard, Schedule

SOUND_FILE, SCHEDULE_FILE = "tml_audio.bin", "tml_schedule.bin"
FEATURES_FILE, SCORES_FILE = "tml_features.bin", "tml_scores.bin"


@dataclass(frozen=True, slots=True, eq=False)
class Listened:
    """One run of the keyword firmware: what it heard, in the same form as the reference's, and its last counts.

    ``done`` is the firmware's closing event: frames, inferences, dropped frames, the most samples that were waiting.
    """

    emulator: str
    heard: Heard
    done: dict[str, Any]


def listen_in_emulation(
    elf: Path,
    board: Board,
    sound: NDArray[np.int16],
    *,
    features: int,
    labels: int,
    schedule: Schedule | None = None,
    emulator: str = "auto",
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Listened:
    """Feed ``sound``, at the rate the firmware samples at, to the microphone of the firmware ``elf``.

    ``features`` a frame and ``labels`` are the model's. ``schedule`` makes it run the network at other frames than it
    would by itself. Raises BuildError and MismatchError as :func:`tinyml.emulate.run.run_application` does.
    """
    files = {SOUND_FILE: np.ascontiguousarray(sound, dtype="<i2").tobytes()}
    if schedule is not None:
        files[SCHEDULE_FILE] = np.asarray([schedule.first, schedule.every], "<u4").tobytes()
    run = run_application(elf, board, files, emulator=emulator, timeout_s=timeout_s)
    done = next((event for event in run.events if event.get("event") == "done"), None)
    if done is None:
        raise BuildError("the firmware ended before its sound did", hint="was it built with --app kws?")
    record = np.dtype([("frame", "<u4"), ("scores", "i1", (labels,)), ("sums", "<u2", (labels,))])
    scores = np.frombuffer(run.written.get(SCORES_FILE, b""), record)
    frames = np.frombuffer(run.written.get(FEATURES_FILE, b""), np.int8).reshape(-1, features)
    detections = tuple(
        Detection(str(e["word"]), round(1000 * float(e["score"])), int(e["frame"]), int(e["time_ms"]))
        for e in run.events
        if e.get("event") == "detection"
    )
    heard = Heard(
        frames, scores["frame"].astype(np.int64), scores["scores"], scores["sums"].astype(np.int64), detections
    )
    return Listened(run.emulator, heard, done)


def first_difference(got: Heard, wanted: Heard) -> str | None:
    """Where two ways of hearing the same sound differ first, in words; None where every byte is equal."""
    for what, left, right in (
        ("features of frame", got.features, wanted.features),
        ("frame of inference", got.frames, wanted.frames),
        ("scores of inference", got.scores, wanted.scores),
        ("sums of inference", got.sums, wanted.sums),
    ):
        if left.shape != right.shape:
            return f"{what}s: {len(left)} instead of {len(right)}"
        wrong = np.flatnonzero((left != right).reshape(len(left), -1).any(axis=1))
        if len(wrong):
            at = int(wrong[0])
            return f"{what} {at}: {np.ravel(left[at]).tolist()} instead of {np.ravel(right[at]).tolist()}"
    for number, (mine, other) in enumerate(zip(got.detections, wanted.detections, strict=False)):
        if mine != other:
            return f"detection {number}: {mine} instead of {other}"
    if len(got.detections) != len(wanted.detections):
        return f"{len(got.detections)} detections instead of {len(wanted.detections)}"
    return None
