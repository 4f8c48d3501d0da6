"""A teacher that hears clips through a front-end of its own and knows words of its own.

Its features need not be the student's, nor its classes: what it says of its words is added up by the student's classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.compression.distill import DistillOptions
from tinyml.compression.teacher import SMALLEST, Teacher, load_teacher
from tinyml.data.speech_commands import SILENCE, UNKNOWN
from tinyml.errors import UsageError
from tinyml.features.audio import audio_config
from tinyml.features.config import FrontendConfig
from tinyml.features.frontend import frontend
from tinyml.features.mfcc import MfccConfig, mfcc_values
from tinyml.models.trained import TRAINED_DIR, trained_models

Clips = npt.NDArray[np.int16]
Reals = npt.NDArray[np.float32]

MLPERF, OWN = "mlperf", "own"
FRONTENDS = (MLPERF, OWN)
MLPERF_LABELS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", SILENCE, UNKNOWN)
"""The order of the outputs of MLPerf Tiny's keyword models (mlcommons/tiny, keyword_spotting, ``get_dataset.py``)."""

CLIPS_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class SoundTeacher:
    """A teacher of clips. ``hear`` gives float32 values (n, …) for int16 clips (n, samples), ``shares`` (theirs, ours)
    is 1 where a class of the teacher is part of one of the student's."""

    teacher: Teacher
    hear: Callable[[Clips], Reals]
    shares: Reals

    def answers(self, clips: Clips) -> Reals:
        """Logarithms of the probabilities of the student's classes, float32 (n, classes).

        Classes that the student has not are left out, and the rest of the probabilities brought to a sum of 1.
        """
        parts = [self._answers(clips[at : at + CLIPS_AT_ONCE]) for at in range(0, len(clips), CLIPS_AT_ONCE)]
        return np.concatenate([np.empty((0, self.shares.shape[1]), np.float32), *parts])

    def _answers(self, clips: Clips) -> Reals:
        logits, _ = self.teacher.predict(self.hear(clips).reshape(-1, *self.teacher.input_shape))
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        ours = (raised / raised.sum(axis=1, keepdims=True)) @ self.shares
        ours = np.maximum(ours, SMALLEST)
        return np.asarray(np.log(ours / ours.sum(axis=1, keepdims=True)), np.float32)


def sound_teacher(options: DistillOptions, classes: Sequence[str], rate_hz: int, samples: int) -> SoundTeacher:
    """The teacher of ``options`` for clips of ``samples`` at ``rate_hz`` and a student of these classes.

    Raises:
        UsageError: no such teacher or front-end, other sound than the data's, or a class that the teacher has not.
    """
    if options.teacher is None or options.frontend not in FRONTENDS:
        raise UsageError(
            f"there is no front-end {options.frontend!r} for a teacher", hint=f"one of {', '.join(FRONTENDS)}"
        )
    teacher = load_teacher(options.teacher)
    beside = {} if options.frontend == MLPERF else _manifest(Path(options.teacher), options.teacher)
    config = MfccConfig() if options.frontend == MLPERF else audio_config(_frontend(beside, options.teacher))
    if config.sample_rate_hz != rate_hz:
        raise UsageError(
            f"teacher {teacher.name} hears sound at {config.sample_rate_hz} Hz, the data has {rate_hz} Hz",
            hint="take a teacher that was trained on clips of that rate",
        )
    values = config.frames(samples) * config.features
    if values != int(np.prod(teacher.input_shape)):
        raise UsageError(
            f"teacher {teacher.name} takes inputs of {teacher.input_shape}, its front-end gives {values} values a clip"
        )
    known = options.labels or teacher.labels or tuple(beside.get("labels", ()))
    if not known and options.frontend == MLPERF:
        known = MLPERF_LABELS
    if len(known) != teacher.classes:
        raise UsageError(
            f"teacher {teacher.name} has {teacher.classes} classes, and {len(known)} labels are known",
            hint="give --teacher-labels A,B,… in the order of its outputs",
        )
    return SoundTeacher(teacher, _ears(config, options.frontend == MLPERF), match_labels(known, classes))


def match_labels(theirs: Sequence[str], ours: Sequence[str]) -> Reals:
    """Which class of the student each of the teacher's belongs to, float32 (theirs, ours).

    Names are compared without case and outer underscores. A word that the student does not know is unknown to it, or
    belongs to none of its classes where it has no such class. Raises UsageError where the teacher has not all of ours.
    """
    wanted = {label.lower().strip("_"): index for index, label in enumerate(ours)}
    other = wanted.get(UNKNOWN.strip("_"))
    shares = np.zeros((len(theirs), len(ours)), np.float32)
    for row, label in enumerate(theirs):
        name = label.lower().strip("_")
        column = wanted.get(name, None if name == SILENCE.strip("_") else other)
        if column is not None:
            shares[row, column] = 1.0
    absent = [label for label, sources in zip(ours, shares.sum(axis=0), strict=True) if not sources]
    if absent:
        raise UsageError(
            f"the teacher does not know {absent[0]!r}: its labels are {', '.join(theirs)}",
            hint="give --teacher-labels A,B,… in the order of its outputs, or another teacher",
        )
    return shares


def _ears(config: FrontendConfig | MfccConfig, by_peak: bool) -> Callable[[Clips], Reals]:
    """From clips to what the teacher takes; MLPerf Tiny divides each clip by its own peak."""
    if isinstance(config, FrontendConfig):
        made, zero_point, scale = frontend(config), config.input_zero_point, np.float32(config.input_scale)
        return lambda clips: (made.process(clips).astype(np.float32) - zero_point) * scale

    def hear(clips: Clips) -> Reals:
        peaks = np.maximum(np.abs(clips.astype(np.int32)).max(axis=1), 1)
        scales = peaks if by_peak else np.full(len(clips), config.full_scale)
        values = [mfcc_values(clip, config, float(scale)) for clip, scale in zip(clips, scales, strict=True)]
        return np.stack(values).astype(np.float32)

    return hear


def _manifest(path: Path, name: str) -> Mapping[str, Any]:
    """What lies beside a teacher: a run's front-end, a trained model's manifest, or the ``.json`` beside a file."""
    if name in trained_models():
        path = TRAINED_DIR / f"{name}.tflite"
    place = path / "frontend.json" if path.is_dir() else path.with_suffix(".json")
    try:
        found = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"teacher {name} has no front-end of its own: {place.name} cannot be read ({error})",
            hint="a run's folder has one, and a .tflite by `tinyml quantize` in the .json beside it",
        ) from error
    if not isinstance(found, dict):
        raise UsageError(f"teacher {name} has no front-end of its own: {place.name} is no object")
    return {"frontend": found} if path.is_dir() else found


def _frontend(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    definition = manifest.get("frontend")
    if not isinstance(definition, Mapping):
        raise UsageError(
            f"the manifest of teacher {name} has no front-end", hint="--teacher-frontend mlperf takes MLPerf Tiny's"
        )
    return definition
