"""The second phase of a run: its best model is trained on as int8 will compute it, in the folder ``RUN/qat``.

The folder is a run of its own, with metrics, best model and a state to resume from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from tinyml.compression.qat import AVERAGED, LEARNED, calibrate, load_prepared, prepare
from tinyml.errors import UsageError
from tinyml.tflite.convert import load_keras
from tinyml.training.evaluate import BATCH, evaluate_float
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions, Progress, fit, seed_everything
from tinyml.training.generations import own_distiller
from tinyml.training.quantize import CALIBRATION_EXAMPLES, calibration_rows
from tinyml.training.runs import COMPLETE, Run, TrainState

FOLDER = "qat"


@dataclass(frozen=True)
class QatOptions:
    """How to train quantised: so many epochs at a share of the float phase's learning rate.

    ``ranges`` of the activations are ``averaged`` over the batches or ``learned`` by gradient.
    """

    epochs: int
    ranges: str = AVERAGED
    learning_rate_share: float = 0.1


def qat_options(entry: Mapping[str, Any]) -> QatOptions:
    """The options as a manifest has them."""
    known = {item.name for item in fields(QatOptions)}
    return QatOptions(**{key: value for key, value in entry.items() if key in known})


def check_qat(options: QatOptions) -> None:
    """Check the options before long work.

    Raises:
        UsageError: no epochs, or an unknown kind of ranges.
    """
    if options.epochs <= 0 or options.learning_rate_share <= 0:
        raise UsageError("quantised training needs epochs and a learning rate above 0", hint="--qat 3 is usual")
    if options.ranges not in (AVERAGED, LEARNED):
        raise UsageError(f"there are no {options.ranges!r} ranges", hint=f"choose {AVERAGED} or {LEARNED}")


def check_layers(model: Any, options: QatOptions) -> None:
    """Check before the float epochs that ``model`` can be trained quantised.

    Raises:
        UnsupportedError: it has layers that cannot.
        UsageError: its weights are of two values.
    """
    prepare(model, ranges=options.ranges)


def train_quantised(
    run: Run, data: TrainingData, options: FitOptions, qat: QatOptions, progress: Progress | None = None
) -> TrainState:
    """Train the run's best model on, quantised, or go on with that; ``RUN/qat/best.keras`` is the result.

    A run that learnt from a teacher goes on to learn from its own float network.

    Raises:
        InterruptedRunError: Ctrl-C; the phase can be resumed.
        UnsupportedError: the model has layers that cannot be trained quantised.
    """
    again = replace(
        options, epochs=qat.epochs, patience=qat.epochs, learning_rate=options.learning_rate * qat.learning_rate_share
    )
    seed_everything(options.seed)
    best = load_keras(run.best)
    best.trainable = True
    model = prepare(best, ranges=qat.ranges, input_ranges=[data.input_range])
    rows = calibration_rows(data, CALIBRATION_EXAMPLES, options.seed)
    calibrate(model, (data.real(data.plain.codes[rows[at : at + BATCH]]) for at in range(0, len(rows), BATCH)))
    folder = run.path / FOLDER
    if (folder / "manifest.json").is_file():
        phase = Run.open(folder)
    else:
        phase = Run.create(folder, {"model": run.manifest["model"], "qat": asdict(qat), "options": asdict(again)})
    state = fit(model, data, again, phase, progress, own_distiller(run, model, data))
    scores = evaluate_float(load_prepared(phase.best), data, data.test)
    phase.save_history(state.history, scores.as_json())
    phase.update(status=COMPLETE)
    return state


def prepared_of(run: Run) -> Any:
    """The run's network trained quantised, or None where the run has no finished such phase."""
    best: Path = run.path / FOLDER / "best.keras"
    if run.manifest.get("qat") is None or not best.is_file():
        return None
    return load_prepared(best)
