"""Sound through the very firmware that is flashed: built, run in emulation, every byte compared with the reference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.boards import Board
from tinyml.data import Dataset
from tinyml.data.audio import decode_wav, fit_length, resample
from tinyml.data.base import AUDIO, TEST, CorruptSampleError
from tinyml.emulate.run import choose_emulator
from tinyml.emulate.sound import Listened, first_difference, listen_in_emulation
from tinyml.errors import MismatchError, UsageError
from tinyml.evaluation.run import Model, open_for
from tinyml.features.audio import AudioConfig, audio_features, feature_tolerance
from tinyml.firmware.build import BuiltFirmware
from tinyml.firmware.kws import APP, KeywordPlan, plan_keywords
from tinyml.pipeline.compiled import Compiled, Options
from tinyml.pipeline.verbs import application
from tinyml.report.sound import ClipsResult, SoundFile, SoundResult
from tinyml.streaming.detector import Detection
from tinyml.streaming.listen import Network, Schedule, listen
from tinyml.tflite.reference import Reference

CLIPS_AT_ONCE = 250
SECONDS_A_SECOND = 10.0
"""Time limit: an emulated second may take so long, and a minute more for the start."""

SILENCE_MS = 1_000
"""Before and behind a file: a word at either end comes and goes through the window, and is averaged, like any other."""

Sound = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Ears:
    """A built keyword firmware with the reference that it is compared with."""

    compiled: Compiled
    firmware: BuiltFirmware
    plan: KeywordPlan
    network: Network
    emulator: str

    def hear(self, sound: Sound, name: str, schedule: Schedule | None = None) -> Listened:
        """Listen to ``sound`` in emulation. Raises MismatchError where anything differs from the reference."""
        config, labels = self.plan.model.config, self.plan.model.labels
        board = self.compiled.board
        listened = listen_in_emulation(
            self.firmware.elf,
            board,
            sound,
            features=config.features,
            labels=len(labels),
            schedule=schedule,
            emulator=self.emulator,
            timeout_s=60.0 + SECONDS_A_SECOND * len(sound) / config.sample_rate_hz,
        )
        own = Schedule(self.plan.model.window_frames - 1, self.plan.load.stride_hops)
        features = _accepted(listened.heard.features, audio_features(sound, config), feature_tolerance(config))
        window, table = self.plan.model.window_frames, self.plan.table
        wanted = listen(sound, config, window, self.network, table, schedule or own, features)
        difference = first_difference(listened.heard, wanted)
        if difference is not None:
            raise MismatchError(
                f"the firmware hears {name} differently from the reference: {difference}",
                hint="please report it with the sound",
            )
        return listened


def _accepted(got: NDArray[np.int8], wanted: NDArray[np.int8], tolerance: int) -> NDArray[np.int8]:
    """The features that the network shall have seen: ``got`` where each is as near to ``wanted`` as it has to be."""
    if tolerance and got.shape == wanted.shape:
        near = np.abs(got.astype(np.int64) - wanted).max(initial=0) <= tolerance
        return got if near else wanted
    return wanted


@contextmanager
def ears(model: Any, board: str | Board, options: Options, output: Path | None = None) -> Iterator[Ears]:
    """The keyword firmware of ``model``, built for an emulator.

    Raises UsageError for an application without a microphone, and as :func:`tinyml.pipeline.application` does.
    """
    if options.app not in (APP, "benchmark"):
        raise UsageError(f"the application {options.app} has no microphone", hint=f"sound is for --app {APP}")
    with application(model, board, output, replace(options, app=APP)) as (compiled, firmware):
        labels = compiled.source.labels or compiled.graph.labels or options.labels
        plan = plan_keywords(compiled.program, compiled.board, labels, compiled.source.manifest)
        network = reference_network(compiled.source.content, options.match)
        yield Ears(compiled, firmware, plan, network, choose_emulator(compiled.board, options.emulator).kind)


def reference_network(content: bytes, match: str = "litert") -> Network:
    """The model by its reference kernels: features of a window → int8 scores."""
    reference = Reference(content, match=match)
    shape = reference.graph.tensors[reference.graph.inputs[0]].shape
    return lambda features: reference.run([features.reshape(shape)])[0].reshape(-1)


def emulate_sound(
    model: Any, board: str | Board, options: Options, files: Sequence[Path], output: Path | None = None
) -> SoundResult:
    """Play WAV ``files`` to the firmware's microphone, each with a second of silence before and behind.

    Detections tell times and frames since the beginning of their file. Raises UsageError for files that can't be read,
    MismatchError where a byte differs from the reference.
    """
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no sound file {file}")
    with ears(model, board, options, output) as heard:
        config = heard.plan.model.config
        results = []
        for file in files:
            sound = read_sound(file, config)
            hops = -(-SILENCE_MS * config.sample_rate_hz // (1000 * config.hop_samples))
            silence = np.zeros(hops * config.hop_samples, np.int16)
            listened = heard.hear(np.concatenate((silence, sound, silence)), file.name)
            seconds = len(sound) / config.sample_rate_hz
            found = tuple(_of_the_file(one, hops, config) for one in listened.heard.detections)
            results.append(SoundFile(file.name, seconds, found, listened.done))
        return SoundResult(
            heard.compiled.source.name, heard.compiled.board.name, heard.emulator, tuple(results), heard.plan.load
        )


def _of_the_file(detection: Detection, hops: int, config: AudioConfig) -> Detection:
    """A detection counted from ``hops`` frames later on."""
    before_ms = hops * config.hop_samples * 1000 // config.sample_rate_hz
    return replace(detection, frame=detection.frame - hops, time_ms=detection.time_ms - before_ms)


def read_sound(file: Path, config: AudioConfig) -> Sound:
    """A WAV file at the front-end's rate. Raises UsageError where it can't be read or is shorter than a frame."""
    try:
        rate_hz, samples = decode_wav(file.read_bytes())
    except CorruptSampleError as error:
        raise UsageError(f"{file} {error}") from error
    sound = resample(samples, rate_hz, config.sample_rate_hz)
    if len(sound) < config.window_samples:
        raise UsageError(
            f"{file} is shorter than one frame of {config.window_samples} samples",
            hint="give at least a second of sound",
        )
    return sound


def emulate_clips(
    model: Any,
    board: str | Board,
    options: Options,
    dataset: Path,
    limit: int | None = None,
    output: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> ClipsResult:
    """Play the test clips of ``dataset`` to the firmware, which runs the network once on each.

    ``limit`` bounds their number, drawn evenly over the classes; ``progress`` is called with how many are done. Raises
    UsageError for a data set of other classes, MismatchError where a byte differs from the reference.
    """
    with ears(model, board, options, output) as heard:
        labels, config, source = heard.plan.model.labels, heard.plan.model.config, heard.compiled.source
        known = open_for(Model(source.name, source.content, {**source.manifest, "labels": list(labels)}), dataset)
        if known.kind != AUDIO:
            raise UsageError(
                f"{dataset} holds no clips of sound", hint="`tinyml data info FOLDER` says what is in a folder"
            )
        clips, truths = _test_clips(known, config, heard.plan, limit)
        started = time.monotonic()
        confusion = np.zeros((len(labels), len(labels)), np.int64)
        hops = clips.shape[1] // config.hop_samples if len(clips) else 1
        for at in range(0, len(clips), CLIPS_AT_ONCE):
            batch = clips[at : at + CLIPS_AT_ONCE]
            schedule = Schedule(heard.plan.model.window_frames - 1, hops)
            scores = heard.hear(batch.reshape(-1), f"the clips from {at} on", schedule).heard.scores
            for truth, row in zip(truths[at : at + len(batch)], scores, strict=True):
                confusion[labels.index(known.classes[truth]), int(row.argmax())] += 1
            if progress is not None:
                progress(at + len(batch))
        return ClipsResult(
            heard.compiled.source.name,
            heard.compiled.board.name,
            heard.emulator,
            labels,
            len(clips),
            tuple(tuple(int(number) for number in row) for row in confusion),
            time.monotonic() - started,
        )


def _test_clips(known: Dataset, config: AudioConfig, plan: KeywordPlan, limit: int | None) -> tuple[Sound, list[int]]:
    """Test clips ``[clips, samples]``, each as long as whole hops in which one window of frames fits, and labels.

    Where the network streams along time, silence fills each up to whole hops of the network.
    """
    samples = known.samples(TEST)
    if limit is not None and limit < len(samples):
        samples = tuple(samples[index] for index in np.linspace(0, len(samples) - 1, limit).round().astype(int))
    needed = config.window_samples + (plan.model.window_frames - 1) * config.hop_samples
    clip = round(known.clip_samples * config.sample_rate_hz / known.sample_rate_hz)
    length = -(-max(needed, clip) // config.hop_samples) * config.hop_samples
    clips, labels = [], []
    for sample in samples:
        try:
            decoded = resample(sample.decode(), known.sample_rate_hz, config.sample_rate_hz)
        except CorruptSampleError:
            continue
        clips.append(fit_length(decoded, length))
        labels.append(sample.label)
    if not clips:
        raise UsageError(
            "the data set has no readable test clips", hint="`tinyml data info FOLDER --check` names what is damaged"
        )
    together = (plan.hop_frames or 1) * config.hop_samples
    return np.pad(np.stack(clips), ((0, 0), (0, -length % together))), labels
