"""Networks that are trained in another form than they run: binary layers, learned groups.

The form that learns is what the run trains, and resumes. When it is trained, the network itself is made of its best
state: ``best.keras`` is then what is tested, converted and taught from, ``learned.keras`` what was trained.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from tinyml.errors import UsageError
from tinyml.files import replacing
from tinyml.tflite.convert import load_keras
from tinyml.training.definition import Definition
from tinyml.training.evaluate import evaluate_float
from tinyml.training.examples import TrainingData
from tinyml.training.fit import Progress
from tinyml.training.runs import Run

LEARNED = "learned.keras"


def require_same_form(definition: Definition) -> None:
    """Raises UsageError where the network is trained in another form than it runs, which QAT cannot go on from."""
    if definition.finish is not None:
        raise UsageError(
            f"--qat cannot train {definition.name} on: it learns in another form than it runs in",
            hint="train it without --qat",
        )


def finish_best(
    run: Run, finish: Callable[[Any], Any], learning: Any, data: TrainingData, progress: Progress | None = None
) -> None:
    """Make the network itself of the run's best state, unless an interrupted run has done so already.

    ``learning`` is a model of the form that learns, whose layers tell the two apart.
    """
    best = load_keras(run.best)
    if [type(layer) for layer in best.layers] != [type(layer) for layer in learning.layers]:
        return
    with replacing(run.path / LEARNED) as temporary:
        shutil.copyfile(run.best, temporary)
    made = finish(best)
    run.save_best(made)
    if progress is not None:
        before, after = (evaluate_float(model, data, data.validation) for model in (best, made))
        told = f"validation {after.metric} {after.value:.4f}, as it was trained {before.value:.4f}"
        progress.note(f"as it will run: {told}; `tinyml train --from` this run trains what will run on")
