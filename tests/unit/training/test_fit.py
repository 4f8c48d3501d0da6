"""A real training of a small network: it learns, keeps its best, and resumes as if nothing had happened."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.support.interruptions import InterruptAt
from tests.unit.training.conftest import build_network
from tinyml.errors import UsageError
from tinyml.tflite.convert import load_keras
from tinyml.training.evaluate import evaluate_float
from tinyml.training.examples import Examples, TrainingData
from tinyml.training.fit import FitOptions, InterruptedRunError, fit, seed_everything
from tinyml.training.runs import Run, TrainState

pytestmark = pytest.mark.train

OPTIONS = FitOptions(epochs=6, batch_size=16, learning_rate=1e-2, patience=6, seed=5)


def train(folder: Path, data: TrainingData, options: FitOptions = OPTIONS) -> TrainState:
    seed_everything(options.seed)
    return fit(build_network(), data, options, Run.create(folder, {}))


def test_network_learns(data: TrainingData, tmp_path: Path) -> None:
    state = train(tmp_path / "run", data)
    assert state.history[-1]["train_loss"] < 0.7 * state.history[0]["train_loss"]
    assert evaluate_float(load_keras(tmp_path / "run" / "best.keras"), data, data.test).value > 0.9


def test_best_epoch_is_the_one_kept(data: TrainingData, tmp_path: Path) -> None:
    state = train(tmp_path / "run", data)
    best = evaluate_float(load_keras(tmp_path / "run" / "best.keras"), data, data.validation)
    accuracies = [row["validation_accuracy"] for row in state.history]
    assert best.value == max(accuracies) == accuracies[state.best_epoch - 1]
    assert best.loss == pytest.approx(state.history[state.best_epoch - 1]["validation_loss"], rel=1e-5)


def test_same_seed_gives_the_same_weights(data: TrainingData, tmp_path: Path) -> None:
    first, second = train(tmp_path / "a", data), train(tmp_path / "b", data)
    other = train(tmp_path / "c", data, dataclasses.replace(OPTIONS, seed=6))
    for one, two in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(first.variables, other.variables, strict=True))


@pytest.mark.parametrize("place", [(1, 2), (4, 3)])
def test_resumed_run_equals_an_uninterrupted_one(data: TrainingData, tmp_path: Path, place: tuple[int, int]) -> None:
    whole = train(tmp_path / "whole", data)
    seed_everything(OPTIONS.seed)
    run = Run.create(tmp_path / "cut", {})
    with pytest.raises(InterruptedRunError) as caught:
        fit(build_network(), data, OPTIONS, run, InterruptAt(*place))
    assert caught.value.epochs == place[0] - 1
    assert run.manifest["status"] == "interrupted"
    seed_everything(OPTIONS.seed)
    resumed = fit(build_network(), data, OPTIONS, Run.open(run.path))
    for one, two in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    assert [row["train_loss"] for row in whole.history] == [row["train_loss"] for row in resumed.history]
    assert whole.best_epoch == resumed.best_epoch


def test_the_average_is_what_is_validated_and_resumed(data: TrainingData, tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, epochs=3, ema=0.9)
    seed_everything(options.seed)
    model = build_network()
    whole = fit(model, data, options, Run.create(tmp_path / "whole", {}))
    assert "average" not in " ".join(weight.name for weight in model.weights)
    kept = load_keras(tmp_path / "whole" / "best.keras")
    best = whole.history[whole.best_epoch - 1]
    assert evaluate_float(kept, data, data.validation).loss == pytest.approx(best["validation_loss"], rel=1e-5)
    plain = train(tmp_path / "plain", data, dataclasses.replace(options, ema=0.0))
    assert [row["train_loss"] for row in whole.history] == [row["train_loss"] for row in plain.history]
    assert [row["validation_loss"] for row in whole.history] != [row["validation_loss"] for row in plain.history]
    own = len(plain.variables)
    assert len(whole.variables) == own + len(model.weights) + 1 and int(whole.variables[-1]) == 3 * 12
    run = Run.create(tmp_path / "cut", {})
    seed_everything(options.seed)
    with pytest.raises(InterruptedRunError):
        fit(build_network(), data, options, run, InterruptAt(2, 3))
    seed_everything(options.seed)
    resumed = fit(build_network(), data, options, Run.open(run.path))
    for one, two in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_mixed_examples_are_learnt_by_their_shares(data: TrainingData, tmp_path: Path) -> None:
    def mixed(generator: np.random.Generator) -> Examples:
        examples = data.epoch(generator)
        return Examples(examples.codes, examples.labels, shares=np.full((len(examples), 3), 1 / 3, np.float32))

    train(tmp_path / "run", dataclasses.replace(data, epoch=mixed), dataclasses.replace(OPTIONS, label_smoothing=0.0))
    kept = load_keras(tmp_path / "run" / "best.keras")
    answers = np.asarray(kept(data.real(data.test.codes)))
    assert np.abs(answers - 1 / 3).mean() < 0.15, "what holds as much of each class is not told apart"
    with pytest.raises(ValueError, match="shares of 2"):
        Examples(data.test.codes, data.test.labels, shares=np.ones((2, 3), np.float32))


def test_early_stopping_after_patience(data: TrainingData, tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, epochs=200, patience=3, learning_rate=2e-2)
    state = train(tmp_path / "run", data, options)
    assert state.epoch == state.best_epoch + 3
    assert state.epoch < 200


def test_sigint_handler_is_given_back(data: TrainingData, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    train(tmp_path / "run", data, dataclasses.replace(OPTIONS, epochs=1))
    assert signal.getsignal(signal.SIGINT) is before


def test_loss_that_diverges_says_so(data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no number in epoch") as caught:
        train(tmp_path / "run", data, dataclasses.replace(OPTIONS, learning_rate=1e30))
    assert "learning-rate" in (caught.value.hint or "")


def test_state_of_another_model_is_refused(data: TrainingData, tmp_path: Path) -> None:
    train(tmp_path / "run", data, dataclasses.replace(OPTIONS, epochs=1))
    other = dataclasses.replace(data, labels=("left", "right", "middle", "none"))
    with pytest.raises(UsageError, match="do not match"):
        fit(build_network(classes=4), other, OPTIONS, Run.open(tmp_path / "run"))
