"""``train`` and ``resume``: from a model's name and a data folder to a run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tinyml.compression.distill import DistillOptions, check_distill, distill_options
from tinyml.errors import UsageError
from tinyml.tflite.convert import load_keras
from tinyml.training.balance import balance_best
from tinyml.training.definition import Definition, find_definition, options_from_json
from tinyml.training.distribute import current_place
from tinyml.training.evaluate import Scores, draw_confusion, evaluate_float
from tinyml.training.examples import TrainingData
from tinyml.training.finishing import finish_best, require_same_form
from tinyml.training.fit import FitOptions, InterruptedRunError, Progress, seed_everything
from tinyml.training.forgetting import Forgetting, measure, old_data, open_old_data
from tinyml.training.generations import first_distiller, fit_generations, teacher_entry
from tinyml.training.manifest import counts_of, data_entry, model_entry, transfer_entry
from tinyml.training.qat import QatOptions, check_layers, check_qat, qat_options, train_quantised
from tinyml.training.quantize import check_matches
from tinyml.training.recipes import DataOptions, open_data
from tinyml.training.runs import COMPLETE, INTERRUPTED, Run, TrainState, check_free
from tinyml.training.stages import Schedule, make_schedule
from tinyml.training.tensorboard import write_test
from tinyml.training.transfer import (
    SOURCE_FILE,
    Source,
    Taken,
    TransferOptions,
    check_transfer,
    definition_of,
    fill_statistics,
    keep_source,
    kept_source,
    open_source,
    other_inputs,
    take,
    transfer_options,
)


@dataclass(frozen=True)
class Request:
    """What ``tinyml train`` is asked for.

    ``fit`` holds the options that replace the recipe's, ``model_options`` those that replace the network's, ``command``
    the command line for the record, ``qat`` the quantised training that is to follow, ``distill`` the teacher to learn
    from, ``transfer`` the trained network to begin with (``model`` may then be None: its own with another head).
    ``scaled`` is the record of how the network was chosen for a board.
    """

    model: str | None
    data: Path
    output: Path | None = None
    data_options: DataOptions = field(default_factory=DataOptions)
    fit: Mapping[str, Any] | None = None
    command: str | None = None
    qat: QatOptions | None = None
    distill: DistillOptions | None = None
    model_options: Mapping[str, Any] = field(default_factory=dict)
    transfer: TransferOptions | None = None
    scaled: Mapping[str, Any] | None = None


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
            "model_options": self.run.manifest["model"].get("options", {}),
            "scaled": self.run.manifest.get("scaled"),
            "transfer": self.run.manifest.get("transfer"),
            "forgetting": self.run.manifest.get("forgetting"),
        }


def train(request: Request, progress: Progress | None = None) -> Trained:
    """Train a model from the beginning into a new run's folder.

    Raises:
        UsageError: model, data, options or output do not exist or do not go together.
        InterruptedRunError: Ctrl-C; the run can be resumed.
    """
    place = current_place()
    worker = place.own_shards(request.data)
    dataset, recipe = open_data(request.data, replace(request.data_options, worker=worker))
    source = None
    if request.transfer is not None:
        check_transfer(request.transfer)
        source = open_source(request.transfer.source)
    definition = _definition(request, source)
    path = request.output or next_free(Path("runs"), definition.name)
    check_free(path)
    options = replace(recipe.fit, **{"seed": request.data_options.seed, **(request.fit or {})})
    _check_options(options)
    if request.qat is not None:
        check_qat(request.qat)
        require_same_form(definition)
    if request.distill is not None:
        check_distill(request.distill)
    data_options = replace(request.data_options, distill=request.distill)
    data = recipe.prepare(dataset, data_options, definition.input_shape)
    data = replace(data, own_part=worker is not None)
    model, taken = _new_model(definition, data, options, source)
    if request.transfer is not None and taken is not None:
        _schedule(request.transfer, taken)
        if source is not None and request.transfer.old_data is not None:
            open_old_data(request.transfer.old_data, source, options.seed)
    if request.distill is not None:
        first_distiller(request.distill, model, data)
    if request.qat is not None:
        check_layers(model, request.qat)
    run = Run.create(
        path,
        {
            "model": model_entry(definition, model),
            "task": recipe.name,
            "command": request.command,
            "data": data_entry(request.data, request.data_options, data),
            "place": place.describe(),
            "seed": options.seed,
            "options": asdict(options),
            "qat": None if request.qat is None else asdict(request.qat),
            "distill": None if request.distill is None else teacher_entry(request.distill),
            "transfer": transfer_entry(request.transfer, source, taken),
            "scaled": None if request.scaled is None else dict(request.scaled),
        },
    )
    if request.model is not None and request.model.endswith(".py"):
        shutil.copyfile(request.model, run.path / "model.py")
    if source is not None:
        keep_source(run, source)
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
    copied, told = run.path / "model.py", _entry(manifest, "model", path)
    if told.get("source") == SOURCE_FILE:
        definition = definition_of(kept_source(run))
    else:
        name = str(copied) if copied.is_file() else str(told.get("source", ""))
        definition = find_definition(name, options_from_json(told.get("options", {})))
    data = run_data(run, None, definition.input_shape, to_train=True)
    return _fit_and_test(run, definition, data, options_of(run), progress)


def options_of(run: Run) -> FitOptions:
    """The options that a run was started with.

    Raises:
        UsageError: its manifest is none of ``tinyml train``.
    """
    known = {item.name for item in fields(FitOptions)}
    told = _entry(run.manifest, "options", run.path)
    return FitOptions(**{key: value for key, value in told.items() if key in known})


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
        worker=current_place().own_shards(place) if to_train else None,
    )
    dataset, recipe = open_data(place, options)
    data = replace(recipe.prepare(dataset, options, input_shape), own_part=options.worker is not None)
    counts, recorded = counts_of(data), told.get("counts")
    if not isinstance(recorded, Mapping) or any(
        counts.get(split, recorded[split]) != recorded[split] for split in recorded
    ):
        raise UsageError(
            f"{place} has changed since {run.path} was started: its numbers of examples differ",
            hint="give --data with the folder that the run was trained on, or train again",
        )
    return data


def next_free(parent: Path, name: str) -> Path:
    """``parent/name``, or with the next free number behind it."""
    path, number = parent / name, 1
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path


def _definition(request: Request, source: Source | None) -> Definition:
    if request.model is not None:
        return find_definition(request.model, request.model_options)
    if source is None:
        raise UsageError("no model was given", hint="name one of `tinyml models`, or --from something trained")
    if request.model_options:
        raise UsageError("--set goes with a model's name", hint="--from alone keeps the architecture as it is")
    return definition_of(source)


def _new_model(
    definition: Definition, data: TrainingData, options: FitOptions, source: Source | None
) -> tuple[Any, Taken | None]:
    """The network to train, untrained but for what it takes from ``source``."""
    seed_everything(options.seed)
    model = definition.build(classes=len(data.labels), input_shape=data.input_shape)
    check_matches(model, data)
    if source is None:
        return model, None
    taken = take(model, source, data.labels)
    if source.folded:
        fill_statistics(model, data, taken.taken)
    return model, taken


def _schedule(options: TransferOptions, taken: Taken) -> Schedule:
    return make_schedule(taken.taken, options.freeze, options.release, options.rate_share)


def _fit_and_test(
    run: Run, definition: Definition, data: TrainingData, options: FitOptions, progress: Progress | None
) -> Trained:
    transfer = None if run.manifest.get("transfer") is None else transfer_options(run.manifest["transfer"])
    source = None if transfer is None else kept_source(run)

    def new_model(seed: int) -> Any:
        return _new_model(definition, data, replace(options, seed=seed), source)[0]

    model, taken = _new_model(definition, data, options, source)
    schedule = None if transfer is None or taken is None else _schedule(transfer, taken)
    started = time.monotonic()
    if progress is not None:
        for message in data.notes:
            progress.note(message)
        if taken is not None and source is not None:
            progress.note(f"{len(taken.taken)} layers taken from {source.name}; new: {_listed(taken)}")
            if source.frontend and dict(source.frontend) != dict(data.frontend):
                progress.note(f"its inputs were made otherwise: {other_inputs(source.frontend, data.frontend)}")
    try:
        state = fit_generations(run, model, data, options, new_model, progress, schedule)
    except UsageError as error:
        if not isinstance(error.__cause__, OSError) or run.load_state() is None:
            raise
        raise UsageError(str(error), hint=f"{error.hint}, then go on: tinyml train --resume {run.path}") from error
    if definition.finish is not None:
        finish_best(run, definition.finish, model, data, progress)
    balance_best(run, data)
    scores = evaluate_float(load_keras(run.best), data, data.test)
    if scores.confusion:
        run.write_json(
            "confusion.json", {"labels": list(scores.labels), "matrix": [list(row) for row in scores.confusion]}
        )
        title = f"{run.manifest['model']['name']}: {scores.value:.1%} on {scores.examples} test examples"
        draw_confusion(run.path / "confusion.png", scores.confusion, scores.labels, title)
    run.save_history(state.history, scores.as_json())
    if options.tensorboard:
        write_test(run.path, scores, state.best_epoch, run.path / "confusion.png" if scores.confusion else None)
    if transfer is not None and transfer.old_data is not None and source is not None and taken is not None:
        run.update(forgetting=_forgetting(run, transfer.old_data, source, taken, options.seed).to_json())
    if run.manifest.get("qat"):
        train_run_quantised(run, data, options, progress)
    run.update(status=COMPLETE)
    return Trained(run, data.task, data.labels, state, scores, time.monotonic() - started)


def _listed(taken: Taken) -> str:
    return ", ".join(f"{name} ({why})" for name, why in taken.new) or "none"


def _forgetting(run: Run, folder: Path, source: Source, taken: Taken, seed: int) -> Forgetting:
    return measure(source, taken.taken, load_keras(run.best), old_data(folder, source, seed), folder)


def train_run_quantised(run: Run, data: TrainingData, options: FitOptions, progress: Progress | None) -> None:
    """The second phase of a run, :func:`tinyml.training.qat.train_quantised`; marks the run where it is interrupted.

    Raises:
        InterruptedRunError: Ctrl-C; the run can be resumed.
    """
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
