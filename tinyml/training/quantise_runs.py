"""``quantise_run`` and ``quantise_file``: from a run or a ``.keras`` file to an int8 model beside it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

from tinyml.errors import UsageError
from tinyml.tflite.convert import load_keras
from tinyml.training.calibrated import CONVERTER
from tinyml.training.fit import Progress
from tinyml.training.qat import FOLDER, QatOptions, check_qat, prepared_of, qat_options
from tinyml.training.quantize import Quantised, quantise, write_model
from tinyml.training.recipes import DataOptions, open_data
from tinyml.training.runs import COMPLETE, INTERRUPTED, Run
from tinyml.training.session import options_of, run_data, train_run_quantised


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


def train_on(run: Run, qat: QatOptions, data_folder: Path | None = None, progress: Progress | None = None) -> None:
    """Train a finished run's best model on, quantised, into ``RUN/qat``, and record it in the run's manifest.

    Raises:
        UsageError: the run is not finished, or was trained quantised with other options.
        InterruptedRunError: Ctrl-C; ``tinyml train --resume RUN`` or the same call goes on.
    """
    check_qat(qat)
    manifest = run.manifest
    before = manifest.get("qat")
    if before is not None and qat_options(before) != qat:
        raise UsageError(
            f"{run.path} was trained quantised with other options: {before}",
            hint=f"remove {run.path / FOLDER} and the entry 'qat' of its manifest.json, or train again",
        )
    if before is None and manifest.get("status") != COMPLETE:
        raise UsageError(f"{run.path} is not complete", hint=f"finish it first: tinyml train --resume {run.path}")
    if before is not None and manifest.get("status") == COMPLETE:
        return
    data = run_data(run, data_folder, tuple(load_keras(run.best).input_shape[1:]), to_train=True)
    run.update(qat=asdict(qat), status=INTERRUPTED)
    train_run_quantised(run, data, options_of(run), progress)
    run.update(status=COMPLETE)


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
