"""``train``, ``resume`` and ``quantise_run``: from a model's name and a data folder to a run and an int8 model."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tinyml.compression.distill import DistillOptions, check_distill, distill_options
from tinyml.errors import UsageError
from tinyml.tflite.convert import load_keras
from tinyml.training.calibrated import CONVERTER
from tinyml.training.definition import Definition, find_definition
from tinyml.training.evaluate import Scores, draw_confusion, evaluate_float
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions, InterruptedRunError, Progress, seed_everything
from tinyml.training.generations import fit_generations, teacher_entry
from tinyml.training.qat import QatOptions, check_qat, prepared_of, qat_options, train_quantised
from tinyml.training.quantize import Quantised, check_matches, quantise, write_model
from tinyml.training.recipes import DataOptions, open_data
from tinyml.training.runs import COMPLETE, INTERRUPTED, Run, TrainState, check_free


@dataclass(frozen=True)
class Request:
    """What ``tinyml train`` is asked for; ``fit`` holds the options that replace the recipe's, ``command``
    the command line for the record, ``qat`` the quantised training that is to follow,
    ``distill`` the teacher to learn from."""

    model: str
    data: Path
    output: Path | None = None
    data_options: DataOptions = field(default_factory=DataOptions)
    fit: Mapping[str, Any] | None = None
    command: str | None = None
    qat: QatOptions | None = None
    distill: DistillOptions | None = None


@dataclass(frozen=True)
class Trained:
    """A finished run: its folder, the epochs done, the best of them, and how its model does on the test split."""

    run: Run
    task: str
    labels: tuple[str, ...]
    state: TrainState
    test: Scores
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The object that ``tinyml train --json`` prints."""
        return {
            "run": str(self.run.path),
            "model": str(self.run.best),
            "task": self.task,
            "labels": list(self.labels),
            "epochs": self.state.epoch,
            "best_epoch": self.state.best_epoch,
            "validation": self.state.history[self.state.best_epoch - 1] if self.state.history else {},
            "test": self.test.as_json(),
            "seconds": self.seconds,
        }


def train(request: Request, progress: Progress | None = None) -> Trained:
    """Train a model from the beginning into a new run's folder.

    Raises:
        UsageError: model, data, options or output do not exist or do not go together.
        InterruptedRunError: Ctrl-C; the run can be resumed.
    """
    dataset, recipe = open_data(request.data, request.data_options)
    definition = find_definition(request.model)
    path = request.output or next_free(Path("runs"), definition.name)
    check_free(path)
    options = replace(recipe.fit, **{"seed": request.data_options.seed, **(request.fit or {})})
    _check_options(options)
    if request.qat is not None:
        check_qat(request.qat)
    if request.distill is not None:
        check_distill(request.distill)
    data_options = replace(request.data_options, distill=request.distill)
    data = recipe.prepare(dataset, data_options, definition.input_shape)
    model = _new_model(definition, data, options)
    run = Run.create(
        path,
        {
            "model": {"source": definition.source, "name": definition.name, "parameters": int(model.count_params())},
            "task": recipe.name,
            "command": request.command,
            "data": {
                "folder": str(request.data.resolve()),
                "words": list(request.data_options.words),
                "unknown": [str(folder.resolve()) for folder in request.data_options.unknown],
                "words_alone": request.data_options.words_alone,
                "counts": {split: dict(counts) for split, counts in data.counts.items()},
            },
            "seed": options.seed,
            "options": asdict(options),
            "qat": None if request.qat is None else asdict(request.qat),
            "distill": None if request.distill is None else teacher_entry(request.distill),
        },
    )
    if request.model.endswith(".py"):
        shutil.copyfile(request.model, run.path / "model.py")
    run.write_json("labels.json", {"labels": list(data.labels)})
    run.write_json("frontend.json", dict(data.frontend))
    return _fit_and_test(run, definition, data, options, progress)


def resume(path: Path, progress: Progress | None = None) -> Trained:
    """Go on with an interrupted run, exactly where its last whole epoch ended.

    Raises:
        UsageError: no run, its data has moved or changed, or the run is complete.
        InterruptedRunError: Ctrl-C once more.
    """
    run = Run.open(path)
    manifest = run.manifest
    if manifest.get("status") == COMPLETE:
        raise UsageError(f"{path} is complete: there is nothing to resume", hint="train again into a new folder")
    known = {item.name for item in fields(FitOptions)}
    options = FitOptions(**{key: value for key, value in _entry(manifest, "options", path).items() if key in known})
    copied = run.path / "model.py"
    definition = find_definition(
        str(copied) if copied.is_file() else str(_entry(manifest, "model", path).get("source", ""))
    )
    data = run_data(run, None, definition.input_shape, to_train=True)
    return _fit_and_test(run, definition, data, options, progress)


def run_data(run: Run, folder: Path | None, input_shape: tuple[int, ...], *, to_train: bool = False) -> TrainingData:
    """The data of a run, from its own folder or from ``folder``; ``to_train`` with the teacher that hears its clips.

    Raises:
        UsageError: the folder is gone, or holds other numbers of examples than the run was trained on.
    """
    manifest = run.manifest
    told = _entry(manifest, "data", run.path)
    place = folder or Path(str(told.get("folder", "")))
    options = DataOptions(
        words=tuple(told.get("words", ())),
        unknown=tuple(Path(path) for path in told.get("unknown", ())),
        words_alone=bool(told.get("words_alone", False)),
        distill=distill_options(manifest["distill"]) if to_train and manifest.get("distill") else None,
        seed=int(manifest.get("seed", 1)),
    )
    dataset, recipe = open_data(place, options)
    data = recipe.prepare(dataset, options, input_shape)
    counts = {split: dict(numbers) for split, numbers in data.counts.items()}
    if counts != told.get("counts"):
        raise UsageError(
            f"{place} has changed since {run.path} was started: its numbers of examples differ",
            hint="give --data with the folder that the run was trained on, or train again",
        )
    return data


def quantise_run(
    path: Path,
    *,
    data_folder: Path | None = None,
    output: Path | None = None,
    calibration: str = CONVERTER,
    report: bool = False,
) -> tuple[Quantised, Path]:
    """Quantise a run's best model into ``RUN/model.tflite`` (or ``output``) with its manifest beside it.

    ``calibration`` and ``report`` are those of :func:`tinyml.training.quantize.quantise`.

    Raises:
        UsageError: no run, no whole epoch yet, or its data is gone.
        UnsupportedError: the model cannot be converted.
    """
    run = Run.open(path)
    if not run.best.is_file():
        raise UsageError(f"{path} has no best.keras yet", hint=f"train it first: tinyml train --resume {path}")
    manifest = run.manifest
    model = load_keras(run.best)
    data = run_data(run, data_folder, tuple(model.input_shape[1:]))
    seed, prepared = int(manifest.get("seed", 0)), prepared_of(run)
    quantised = quantise(model, data, seed=seed, prepared=prepared, calibration=calibration, report=report)
    target = output or run.path / "model.tflite"
    facts = {
        "model": manifest.get("model"),
        "command": manifest.get("command"),
        "seed": manifest.get("seed"),
        "options": manifest.get("options"),
        "qat": manifest.get("qat"),
        "versions": manifest.get("versions"),
        "keras_sha256": hashlib.sha256(run.best.read_bytes()).hexdigest(),
    }
    write_model(target, quantised, data, facts)
    return quantised, target


def quantise_file(
    path: Path,
    *,
    data_folder: Path,
    options: DataOptions,
    output: Path | None = None,
    calibration: str = CONVERTER,
    report: bool = False,
) -> tuple[Quantised, Path]:
    """Quantise a ``.keras`` file with a data folder, into ``output`` or beside the file.

    Raises:
        UsageError: model and data do not go together.
        UnsupportedError: the model cannot be loaded or converted.
    """
    dataset, recipe = open_data(data_folder, options)
    model = load_keras(path)
    if len(model.inputs) != 1:
        raise UsageError(f"{path} has {len(model.inputs)} inputs, data sets give one", hint="use tinyml.tflite.convert")
    data = recipe.prepare(dataset, options, tuple(model.input_shape[1:]))
    quantised = quantise(model, data, seed=options.seed, calibration=calibration, report=report)
    target = output or path.with_suffix(".tflite")
    facts = {"model": {"name": model.name}, "keras_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    write_model(target, quantised, data, facts)
    return quantised, target


def next_free(parent: Path, name: str) -> Path:
    """``parent/name``, or with the next free number behind it."""
    path, number = parent / name, 1
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path


def _new_model(definition: Definition, data: TrainingData, options: FitOptions) -> Any:
    seed_everything(options.seed)
    model = definition.build(classes=len(data.labels), input_shape=data.input_shape)
    check_matches(model, data)
    return model


def _fit_and_test(
    run: Run, definition: Definition, data: TrainingData, options: FitOptions, progress: Progress | None
) -> Trained:
    def new_model(seed: int) -> Any:
        return _new_model(definition, data, replace(options, seed=seed))

    model = new_model(options.seed)
    started = time.monotonic()
    if progress is not None:
        for message in data.notes:
            progress.note(message)
    state = fit_generations(run, model, data, options, new_model, progress)
    scores = evaluate_float(load_keras(run.best), data, data.test)
    if scores.confusion:
        run.write_json(
            "confusion.json", {"labels": list(scores.labels), "matrix": [list(row) for row in scores.confusion]}
        )
        title = f"{run.manifest['model']['name']}: {scores.value:.1%} on {scores.examples} test examples"
        draw_confusion(run.path / "confusion.png", scores.confusion, scores.labels, title)
    run.save_history(state.history, scores.as_json())
    if run.manifest.get("qat"):
        _train_quantised(run, data, options, progress)
    run.update(status=COMPLETE)
    return Trained(run, data.task, data.labels, state, scores, time.monotonic() - started)


def _train_quantised(run: Run, data: TrainingData, options: FitOptions, progress: Progress | None) -> None:
    if progress is not None:
        progress.note("training on as int8 computes")
    try:
        train_quantised(run, data, options, qat_options(run.manifest["qat"]), progress)
    except InterruptedRunError as interruption:
        run.update(status=INTERRUPTED)
        raise InterruptedRunError(run, interruption.epochs) from interruption


def _check_options(options: FitOptions) -> None:
    for name in ("epochs", "batch_size", "learning_rate", "patience"):
        if getattr(options, name) <= 0:
            raise UsageError(f"{name.replace('_', ' ')} is {getattr(options, name)}: it has to be above 0")


def _entry(manifest: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    value = manifest.get(key)
    if not isinstance(value, Mapping):
        raise UsageError(f"{path / 'manifest.json'} has no {key!r}", hint="it is no manifest of `tinyml train`")
    return value
