"""A model, or its firmware in emulation, listening to minutes of sound with words at known places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyml.boards import Board
from tinyml.data import Dataset, open_dataset
from tinyml.data.base import AUDIO
from tinyml.data.other_words import other_samples
from tinyml.errors import UsageError
from tinyml.evaluation.results import StreamCurve
from tinyml.evaluation.stream_curve import stream_curve
from tinyml.files import write_file
from tinyml.firmware.kws import KeywordModel, keyword_model
from tinyml.pipeline.compiled import Options
from tinyml.pipeline.sound import ears, reference_network
from tinyml.report.stream import StreamResult
from tinyml.sources import ModelSource, load_source
from tinyml.streaming.listen import Heard, Network, Schedule, listen
from tinyml.streaming.scene import Scene, make_scene
from tinyml.streaming.score import score
from tinyml.streaming.settings import DetectorSettings, detector_table
from tinyml.streaming.tune import Scores, evaluate, tune
from tinyml.tflite.read import read_graph

DEFAULT_MINUTES, DEFAULT_SEED = 30.0, 0


def open_scene(
    dataset: Path, split: str, minutes: float, seed: int, model: KeywordModel, others: Sequence[Path] = ()
) -> Scene:
    """A scene of ``dataset`` for ``model``, with words out of the folders ``others`` said between.

    Raises UsageError where it has other words or another sample rate.
    """
    return scene_for(open_dataset(dataset), split, minutes, seed, model, others)


def scene_for(
    known: Dataset, split: str, minutes: float, seed: int, model: KeywordModel, others: Sequence[Path] = ()
) -> Scene:
    """A scene of an open data set for ``model``. Raises UsageError where it has other words or another sample rate."""
    if known.kind != AUDIO or known.sample_rate_hz != model.config.sample_rate_hz:
        raise UsageError(
            f"the data set holds {known.kind} at {known.sample_rate_hz or 0} Hz, the model hears {AUDIO} at"
            f" {model.config.sample_rate_hz} Hz",
            hint="give the clips that the model was trained on, or others at its rate",
        )
    if not set(known.classes) <= set(model.labels):
        raise UsageError(
            f"the data set's classes are {', '.join(known.classes)}, the model's {', '.join(model.labels)}",
            hint="give the data set that the model was trained for",
        )
    return make_scene(known, split, 60.0 * minutes, seed, other_samples(others, known))


def stream(
    model: Any,
    dataset: Path,
    *,
    split: str = "test",
    minutes: float = DEFAULT_MINUTES,
    seed: int = DEFAULT_SEED,
    board: str | Board | None = None,
    options: Options | None = None,
    target: float | None = None,
    others: Sequence[Path] = (),
) -> StreamResult:
    """Misses and false accepts of ``model`` over a scene of ``dataset``; on ``board`` by the firmware in emulation.

    Clips of the folders ``others`` are said between. With ``target`` false accepts an hour the detector is tuned on the
    scene besides, which only Python's listening can. Raises UsageError where model and data set do not go together,
    MismatchError where the firmware hears otherwise.
    """
    source = load_source(model)
    graph = read_graph(source.content, name=source.name)
    known = keyword_model(graph, source.labels or graph.labels, source.manifest)
    scene = open_scene(dataset, split, minutes, seed, known, others)
    if board is not None:
        if target is not None:
            raise UsageError("tuning listens without a board", hint="leave --board out")
        return _by_firmware(model, board, options or Options(), scene, split)
    heard, stride_ms = listen_to(scene, known, reference_network(source.content))
    scores = Scores(heard.frames, heard.scores, known.labels, stride_ms)
    result = StreamResult(
        source.name, split, "python", stride_ms, len(scene.others), 0, known.settings,
        evaluate(scores, scene, known.settings, known.config),
    )  # fmt: skip
    if target is None:
        return result
    tuned = tune(scores, scene, known.settings, known.config, target)
    return replace(result, tuned=(tuned, evaluate(scores, scene, tuned, known.config)))


def curve(
    source: ModelSource, dataset: Dataset, *, split: str, minutes: float, seed: int = DEFAULT_SEED
) -> StreamCurve:
    """Misses against false accepts of a keyword model over a scene of ``dataset``, heard by the Python pipeline.

    Raises UsageError where model and data set do not go together.
    """
    graph = read_graph(source.content, name=source.name)
    known = keyword_model(graph, source.labels or graph.labels, source.manifest)
    scene = scene_for(dataset, split, minutes, seed, known)
    heard, stride_ms = listen_to(scene, known, reference_network(source.content))
    return stream_curve(
        Scores(heard.frames, heard.scores, known.labels, stride_ms), scene, known.settings, known.config
    )


def listen_to(scene: Scene, model: KeywordModel, network: Network) -> tuple[Heard, float]:
    """The scene by the Python pipeline at the manifest's stride, and that stride in ms, whole hops."""
    hop_ms = 1000.0 * model.config.hop_samples / model.config.sample_rate_hz
    hops = max(1, round(model.settings.stride_ms / hop_ms))
    table = detector_table(model.settings, model.labels, hops * hop_ms)
    schedule = Schedule(model.window_frames - 1, hops)
    return listen(scene.sound, model.config, model.window_frames, network, table, schedule), hops * hop_ms


def _by_firmware(model: Any, board: str | Board, options: Options, scene: Scene, split: str) -> StreamResult:
    with ears(model, board, options) as firmware:
        settings = firmware.plan.model.settings
        listened = firmware.hear(scene.sound, "the scene")
        result = score(
            listened.heard.detections,
            scene.spoken,
            tuple(settings.thresholds),
            scene.sample_rate_hz,
            scene.hours,
            scene.others,
        )
        return StreamResult(
            firmware.compiled.source.name,
            split,
            firmware.compiled.board.name,
            firmware.plan.load.stride_ms,
            len(scene.others),
            int(listened.done["dropped_frames"]),
            settings,
            result,
        )


def manifest_beside(model: Path) -> Path:
    """The manifest of a ``.tflite`` file or of a quantised run, where :func:`write_detector` writes to.

    Raises UsageError where there is none.
    """
    file = model / "model.tflite" if model.is_dir() else model
    path = file.with_suffix(".json")
    if file.suffix != ".tflite" or not path.is_file():
        raise UsageError(
            f"{model} has no manifest to write the detector to",
            hint="give a run, or the .tflite file that has its .json beside it",
        )
    return path


def write_detector(model: Path, settings: DetectorSettings) -> Path:
    """Put ``settings`` into the manifest of ``model``; its path. Raises as :func:`manifest_beside` does."""
    path = manifest_beside(model)
    manifest = json.loads(path.read_text(encoding="utf-8"))
    write_file(path, (json.dumps({**manifest, "detector": settings.to_json()}, indent=2) + "\n").encode("utf-8"))
    return path
