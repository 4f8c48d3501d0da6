"""Fitting: epochs of augmented batches, a cosine learning rate, early stopping, and a state that resumes exactly.

An epoch's randomness (augmentation, order) comes from the seed and the epoch's number, dropout's from generators that
are part of the saved state: an interrupted run that is resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, isfinite, pi
from typing import Any, Protocol

import numpy as np

from tinyml.compression.distill import Distiller
from tinyml.compression.teacher import ends_in_softmax
from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_keras, import_tensorflow
from tinyml.training.averaging import WeightAverage
from tinyml.training.evaluate import evaluate_float
from tinyml.training.examples import CLASSIFY, RECONSTRUCT, Codes, Examples, TrainingData
from tinyml.training.runs import INTERRUPTED, RUNNING, Row, Run, TrainState

SMALLEST_BATCH = 8
STEPS_AN_EPOCH = 16


@dataclass(frozen=True)
class FitOptions:
    """How to fit. ``patience`` epochs without a better validation score end the run early.

    ``ema`` is the decay a step of the weights' moving average, which is what is validated and kept; 0 for none.
    """

    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    warmup_epochs: int = 2
    patience: int = 15
    seed: int = 1
    ema: float = 0.0


class Progress(Protocol):
    """Who watches a run."""

    def note(self, message: str) -> None:
        """A remark on the data, before the first epoch."""

    def batch(self, epoch: int, done: int, total: int) -> None:
        """``done`` of ``total`` batches of the epoch (from 1) are through."""

    def epoch(self, row: Row, best: bool) -> None:
        """An epoch has ended with these figures; ``best`` says whether it is the best so far."""


class InterruptedRunError(Exception):
    """The user interrupted a run, which can be resumed after ``epochs`` whole epochs."""

    def __init__(self, run: Run, epochs: int) -> None:
        super().__init__(f"interrupted after {epochs} epochs")
        self.run = run
        self.epochs = epochs


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and ask TensorFlow for repeatable kernels."""
    tf = import_tensorflow()
    import_keras().utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def fit(
    model: Any,
    data: TrainingData,
    options: FitOptions,
    run: Run,
    progress: Progress | None = None,
    distiller: Distiller | None = None,
) -> TrainState:
    """Fit ``model`` on ``data``, from the run's last state where it has one; a ``distiller`` brings in a teacher.

    After each epoch the run's ``last.npz``, ``metrics.*`` and, where it is the best so far on the validation split,
    ``best.keras`` are replaced. The model is left with the last step's own weights.

    Raises:
        InterruptedRunError: Ctrl-C; the run is left resumable.
        UsageError: the loss is no number any more, or the saved state belongs to another model.
    """
    trained = _prepare(model, data, options, distiller)
    average = WeightAverage(trained, options.ema)
    state = run.load_state() or TrainState(0, (), 0, ())
    if state.epoch:
        _restore(_variables(trained, average), state)
    run.update(status=RUNNING)
    with _interruptible() as interrupted:
        while state.epoch < options.epochs and state.epoch - state.best_epoch < options.patience:
            logs = _one_epoch(trained, average, data, options, state.epoch, progress, interrupted, distiller)
            if interrupted.is_set():
                run.update(status=INTERRUPTED)
                raise InterruptedRunError(run, state.epoch)
            state = _after_epoch(model, trained, average, data, run, state, logs, progress)
    return state


def _one_epoch(
    model: Any,
    average: WeightAverage,
    data: TrainingData,
    options: FitOptions,
    epoch: int,
    progress: Progress | None,
    stop: threading.Event,
    distiller: Distiller | None,
) -> Row:
    started = time.monotonic()
    rng = np.random.default_rng([options.seed, epoch])
    examples = data.epoch(rng)
    seen = examples.codes if distiller is None else _teachers_view(distiller, examples, data, [options.seed, epoch])
    order = rng.permutation(len(examples))
    size = _batch_size(options, len(examples))
    batches = max(1, len(examples) // size)  # a short last batch would disturb the batch norms
    classes = len(data.labels)
    sums: dict[str, float] = {}
    for index in range(batches):
        rate = _learning_rate(options, epoch + index / batches)
        model.optimizer.learning_rate = rate
        chosen = order[index * size : (index + 1) * size]
        inputs = data.real(examples.codes[chosen])
        if data.objective == CLASSIFY:
            targets = examples.targets(chosen, classes)
            if distiller is not None:
                answers = None if examples.answers is None else examples.answers[chosen]
                view = inputs if seen is examples.codes else data.real(seen[chosen])
                targets = distiller.targets(view, targets, answers)
        else:
            targets = inputs.reshape(len(inputs), *model.output_shape[1:])
        model.reset_metrics()
        for name, value in model.train_on_batch(inputs, targets, return_dict=True).items():
            sums[name] = sums.get(name, 0.0) + float(value)
        average.update()
        if stop.is_set():
            break
        if progress is not None:
            progress.batch(epoch + 1, index + 1, batches)
    row = {"epoch": epoch + 1, "seconds": round(time.monotonic() - started, 2), "learning_rate": rate}
    return row | {f"train_{name}": total / batches for name, total in sums.items()}


def _teachers_view(distiller: Distiller, examples: Examples, data: TrainingData, seed: list[int]) -> Codes:
    """The epoch's examples in the size that the teacher takes; ``seed`` is that of the examples."""
    shape = distiller.teacher.input_shape
    if data.resized is None or int(np.prod(shape)) == int(np.prod(data.input_shape)):
        return examples.codes
    return data.resized(np.random.default_rng(seed), shape)


def _batch_size(options: FitOptions, examples: int) -> int:
    """The option's, or less on a small data set: batch norms need some steps an epoch for their moving averages."""
    return min(options.batch_size, max(SMALLEST_BATCH, examples // STEPS_AN_EPOCH))


def _after_epoch(
    model: Any,
    trained: Any,
    average: WeightAverage,
    data: TrainingData,
    run: Run,
    state: TrainState,
    logs: Row,
    progress: Progress | None,
) -> TrainState:
    if not isfinite(logs["train_loss"]):
        raise UsageError(
            f"the loss is no number in epoch {state.epoch + 1}", hint="lower --learning-rate, for instance by ten"
        )
    with average.in_place():
        scores = evaluate_float(model, data, data.validation)
        row = logs | {"validation_loss": scores.loss, f"validation_{scores.metric}": scores.value}
        best = not state.history or rank(row, data) > rank(state.history[state.best_epoch - 1], data)
        if best:
            run.save_best(model)
    state = TrainState(
        epoch=state.epoch + 1,
        history=(*state.history, row),
        best_epoch=state.epoch + 1 if best else state.best_epoch,
        variables=tuple(np.asarray(variable) for variable in _variables(trained, average)),
    )
    run.save_state(state)
    run.save_history(state.history)
    if progress is not None:
        progress.epoch(row, best)
    return state


def rank(row: Row, data: TrainingData) -> tuple[float, float]:
    """What makes an epoch better: the accuracy, then the loss; for an autoencoder the loss on normal examples alone."""
    if data.objective == RECONSTRUCT:
        return (-row["validation_loss"], 0.0)
    return (row["validation_accuracy"], -row["validation_loss"])


def _prepare(model: Any, data: TrainingData, options: FitOptions, distiller: Distiller | None) -> Any:
    """What is trained, compiled: the model, or with a teacher's features the model and what compares them."""
    keras = import_keras()
    optimizer = keras.optimizers.AdamW(options.learning_rate, weight_decay=options.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "^low$", "^high$"])
    trained = model
    if data.objective != CLASSIFY:
        if distiller is not None:
            raise UsageError("distillation needs classes, and this task has none")
        model.compile(optimizer=optimizer, loss=keras.losses.MeanSquaredError())
    elif distiller is None:
        softmax = ends_in_softmax(model)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing, from_logits=not softmax)
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    else:
        trained = distiller.extend(model)
        accuracy = keras.metrics.MeanMetricWrapper(distiller.accuracy, name="accuracy")
        trained.compile(optimizer=optimizer, loss=distiller.loss(options.label_smoothing), metrics=[accuracy])
    optimizer.build(trained.trainable_variables)
    return trained


def _learning_rate(options: FitOptions, epoch: float) -> float:
    """Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter, arXiv:1608.03983), from epoch 0."""
    warmup = min(options.warmup_epochs, options.epochs / 4)
    if epoch < warmup:
        return options.learning_rate * (epoch + 0.1) / (warmup + 0.1)
    done = (epoch - warmup) / max(options.epochs - warmup, 1e-9)
    return options.learning_rate * 0.5 * (1 + cos(pi * min(done, 1.0)))


def _variables(model: Any, average: WeightAverage) -> list[Any]:
    """Weights, batch norms' averages, dropout's generators, the optimiser's variables and the weights' averages.

    Always in the same order.
    """
    metrics = {id(variable) for variable in model.metrics_variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return [*own, *model.optimizer.variables, *average.variables]


def _restore(variables: list[Any], state: TrainState) -> None:
    saved = [array.shape for array in state.variables]
    if saved != [tuple(variable.shape) for variable in variables]:
        raise UsageError(
            f"the saved state has {len(saved)} variables that do not match the model's {len(variables)}",
            hint="resume with the model that the run was started with",
        )
    for variable, array in zip(variables, state.variables, strict=True):
        variable.assign(array)


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event, looked at between batches, so that no file and no variable is left half-way.

    A second Ctrl-C interrupts at once. Outside the main thread signals stay as they are.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)
