"""Priors put right: the last layer's bias, and what a run does with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.training.conftest import build_network
from tinyml.training.balance import balance, balance_best
from tinyml.training.examples import TrainingData
from tinyml.training.runs import Run

pytestmark = pytest.mark.train


def said(model: Any, data: TrainingData) -> np.ndarray:
    return np.asarray(model(data.real(data.test.codes), training=False))


def test_what_was_drawn_often_is_said_less(data: TrainingData) -> None:
    model = build_network()
    before = said(model, data)
    assert balance(model, (1.0, 4.0, 0.5))
    weighted = before / np.asarray([1.0, 4.0, 0.5])
    np.testing.assert_allclose(said(model, data), weighted / weighted.sum(axis=1, keepdims=True), rtol=1e-4)


def test_other_last_layers_are_left_alone(data: TrainingData) -> None:
    assert not balance(build_network(), (1.0, 2.0))
    from tinyml.tflite.quiet import import_keras

    keras = import_keras()
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3)(inputs))
    assert not balance(keras.Model(inputs, outputs), (1.0, 2.0, 3.0))


def test_a_runs_best_model_is_balanced_once(data: TrainingData, tmp_path: Path) -> None:
    from tinyml.tflite.convert import load_keras

    run = Run.create(tmp_path / "run", {})
    run.save_best(build_network())
    balance_best(run, data)
    assert "balanced" not in run.manifest
    uneven = replace(data, drawn=(1.0, 1.0, 4.0))
    before = said(load_keras(run.best), data)
    for _ in range(2):
        balance_best(run, uneven)
        assert run.manifest["balanced"] is True
        share = said(load_keras(run.best), data)[:, 2] / before[:, 2]
        assert (share < 1).all()
        np.testing.assert_allclose(share, 1 / (4 - 3 * before[:, 2]), rtol=1e-3)
