"""Fitting: epochs of augmented batches, a cosine learning rate, early stopping, and a state that resumes exactly.

An epoch's randomness (augmentation, order) comes from the seed and the epoch's number, dropout's from generators that
are part of the saved state: an interrupted run that is resumed ends with the same weights as one that was not.
Examples are made beside the steps (:mod:`tinyml.training.batches`), which run wherever the ambient strategy of
``tf.distribute`` has its replicas (:mod:`tinyml.training.distribute`).
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import cos, isfinite, pi
from typing import Any, Protocol

import numpy as np

from tinyml.compression.distill import Distiller
from tinyml.compression.teacher import ends_in_softmax
from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_keras, import_tensorflow
from tinyml.training.averaging import WeightAverage
from tinyml.training.batches import Batches
from tinyml.training.distribute import current_place, synchronise_batch_norms
from tinyml.training.evaluate import evaluate_float
from tinyml.training.examples import CLASSIFY, RECONSTRUCT, TrainingData
from tinyml.training.runs import INTERRUPTED, RUNNING, Row, Run, TrainState
from tinyml.training.stages import Schedule, make_optimizer
from tinyml.training.step import Logs, Objective, make_step
from tinyml.training.tensorboard import EpochLog

METRICS = ("accuracy", "loss")


@dataclass(frozen=True)
class FitOptions:
    """How to fit. ``patience`` epochs without a better validation score end the run early.

    ``ema`` is the decay a step of the weights' moving average, which is what is validated and kept; 0 for none.
    ``tensorboard``: whether each epoch is logged in ``RUN/logs``.
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
    tensorboard: bool = True


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
    schedule: Schedule | None = None,
) -> TrainState:
    """Fit ``model`` on ``data``, from the run's last state where it has one; a ``distiller`` brings in a teacher.

    After each epoch the run's ``last.npz``, ``metrics.*`` and, where it is the best so far on the validation split,
    ``best.keras`` are replaced. The model is left with the last step's own weights. ``schedule`` says which layers are
    frozen in which epoch.

    Raises:
        InterruptedRunError: Ctrl-C; the run is left resumable.
        UsageError: the loss is no number any more, or the saved state belongs to another model.
    """
    place = current_place()
    trained, optimizer, objective = _prepare(model, data, options, distiller, schedule)
    if place.replicas > 1:
        synchronise_batch_norms(trained)
    average = WeightAverage(trained, options.ema)
    variables = _variables(trained, optimizer, average)
    state = run.load_state() or TrainState(0, (), 0, ())
    if state.epoch:
        _restore(variables, state)
    run.update(status=RUNNING)
    frozen = None if schedule is None else schedule.apply(model, state.epoch)
    step = make_step(trained, optimizer, objective, place.strategy)
    batches = Batches(
        data,
        place,
        seed=options.seed,
        batch_size=options.batch_size,
        epochs=options.epochs,
        target_shape=target_shape(trained, data, distiller),
        distiller=distiller,
    )
    log = EpochLog(run.path) if options.tensorboard else None
    with _interruptible() as interrupted, batches, log or contextlib.nullcontext():
        while state.epoch < options.epochs and state.epoch - state.best_epoch < options.patience:
            if schedule is not None and (now := schedule.apply(model, state.epoch)) != frozen:
                frozen, step = now, make_step(trained, optimizer, objective, place.strategy)
            condensed = begin_epoch(model, state.epoch, options.epochs)
            train_step = _Stepper(step, optimizer, average, interrupted, place.workers > 1)
            logs = _one_epoch(train_step, batches, options, state.epoch, progress)
            if logs is None:
                run.update(status=INTERRUPTED)
                raise InterruptedRunError(run, state.epoch)
            state = _after_epoch(model, variables, average, data, run, state, logs, progress, condensed)
            if log is not None:
                log.write(state.history[-1])
    return state


def begin_epoch(model: Any, epoch: int, epochs: int) -> bool:
    """Tell every layer that has a method ``begin_epoch(epoch, epochs)``; whether any took weights away for good."""
    asking = [layer for layer in model._flatten_layers() if hasattr(layer, "begin_epoch")]
    taken_away = [layer.begin_epoch(epoch, epochs) for layer in asking]
    return any(taken_away)


@dataclass(frozen=True, eq=False)
class _Stepper:
    """A training step with the learning rate before it and the averages after it; None where the run is to stop."""

    step: Callable[[tuple[Any, Any], Any], Logs]
    optimizer: Any
    average: WeightAverage
    interrupted: threading.Event
    together: bool

    def __call__(self, batch: tuple[Any, Any], rate: float) -> Logs | None:
        self.optimizer.learning_rate = rate
        logs = self.step(batch, import_tensorflow().constant(float(self.interrupted.is_set())))
        self.average.update()
        stop = float(logs.pop("stop")) > 0 if self.together else self.interrupted.is_set()
        return None if stop else logs


def _one_epoch(
    step: _Stepper, batches: Batches, options: FitOptions, epoch: int, progress: Progress | None
) -> Row | None:
    """The epoch's means, or None where the run was interrupted; ``waited_seconds`` is what steps waited for batches."""
    started = time.monotonic()
    count, stream = batches.epoch(epoch)
    waited, seen = time.monotonic() - started, list[Logs]()
    for index in range(count):
        rate = _learning_rate(options, epoch + index / count)
        asked = time.monotonic()
        batch = next(stream)
        waited += time.monotonic() - asked
        logs = step(batch, rate)
        if logs is None:
            return None
        seen.append(logs)
        if progress is not None:
            progress.batch(epoch + 1, index + 1, count)
    means = {
        f"train_{name}": float(np.mean([float(logs[name]) for logs in seen])) for name in METRICS if name in seen[0]
    }
    seconds = {"seconds": round(time.monotonic() - started, 2), "waited_seconds": round(waited, 2)}
    return {"epoch": epoch + 1, **seconds, "learning_rate": rate} | means


def _after_epoch(
    model: Any,
    variables: list[Any],
    average: WeightAverage,
    data: TrainingData,
    run: Run,
    state: TrainState,
    logs: Row,
    progress: Progress | None,
    condensed: bool,
) -> TrainState:
    """Score, keep and report. What was best before the model was ``condensed`` is no longer what is trained."""
    if not isfinite(logs["train_loss"]):
        raise UsageError(
            f"the loss is no number in epoch {state.epoch + 1}", hint="lower --learning-rate, for instance by ten"
        )
    with average.in_place():
        scores = evaluate_float(model, data, data.validation)
        row = logs | {"validation_loss": scores.loss, f"validation_{scores.metric}": scores.value}
        best = condensed or not state.history or rank(row, data) > rank(state.history[state.best_epoch - 1], data)
        if best:
            run.save_best(model)
    state = TrainState(
        epoch=state.epoch + 1,
        history=(*state.history, row),
        best_epoch=state.epoch + 1 if best else state.best_epoch,
        variables=tuple(np.asarray(variable) for variable in variables),
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


def _prepare(
    model: Any, data: TrainingData, options: FitOptions, distiller: Distiller | None, schedule: Schedule | None
) -> tuple[Any, Any, Objective]:
    """What is trained: the model, or with a teacher's features the model and what compares them; optimiser and loss."""
    keras = import_keras()
    if schedule is None:
        optimizer = keras.optimizers.AdamW(options.learning_rate, weight_decay=options.weight_decay)
    else:
        schedule.apply(model, None)
        optimizer = make_optimizer(model, schedule, options.learning_rate, options.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "^low$", "^high$"])
    trained = model
    if data.objective != CLASSIFY:
        if distiller is not None:
            raise UsageError(
                "distillation needs classes, and this task has none", hint="leave --teacher and --generations out"
            )
        objective = Objective(keras.losses.mean_squared_error)
    elif distiller is None:
        logits = not ends_in_softmax(model)

        def cross_entropy(targets: Any, outputs: Any) -> Any:
            smoothing = options.label_smoothing
            return keras.losses.categorical_crossentropy(targets, outputs, logits, label_smoothing=smoothing)

        objective = Objective(cross_entropy, keras.metrics.categorical_accuracy)
    else:
        trained = distiller.extend(model)
        objective = Objective(distiller.loss(options.label_smoothing), distiller.accuracy)
    optimizer.build(trained.trainable_variables)
    return trained, optimizer, objective


def _learning_rate(options: FitOptions, epoch: float) -> float:
    """Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter, arXiv:1608.03983), from epoch 0."""
    warmup = min(options.warmup_epochs, options.epochs / 4)
    if epoch < warmup:
        return options.learning_rate * (epoch + 0.1) / (warmup + 0.1)
    done = (epoch - warmup) / max(options.epochs - warmup, 1e-9)
    return options.learning_rate * 0.5 * (1 + cos(pi * min(done, 1.0)))


def target_shape(model: Any, data: TrainingData, distiller: Distiller | None) -> tuple[int, ...]:
    """The shape of one example's target: classes, with a teacher's answers and features behind them, or the input's."""
    if data.objective != CLASSIFY:
        return tuple(int(side) for side in model.output_shape[1:])
    if distiller is None:
        return (len(data.labels),)
    return (2 * distiller.classes + sum(int(np.prod(shape)) for shape in distiller.teacher.feature_shapes),)


def _variables(model: Any, optimizer: Any, average: WeightAverage) -> list[Any]:
    """Weights, batch norms' averages, dropout's generators, the optimiser's variables and the weights' averages.

    Always in the same order.
    """
    return [*model.variables, *optimizer.variables, *average.variables]


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
