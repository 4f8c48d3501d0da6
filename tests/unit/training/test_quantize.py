"""Quantising a trained network: little is lost, the front-end's bytes fit the input, the manifest tells the truth."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.conftest import build_network
from tinyml.errors import UsageError
from tinyml.tflite.convert import convert
from tinyml.training.evaluate import evaluate_int8
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions, fit, seed_everything
from tinyml.training.quantize import calibration_rows, quantise, write_model
from tinyml.training.runs import Run

pytestmark = pytest.mark.train


@pytest.fixture
def trained(data: TrainingData, tmp_path: Path) -> object:
    seed_everything(3)
    model = build_network()
    fit(model, data, FitOptions(epochs=6, batch_size=16, learning_rate=1e-2), Run.create(tmp_path / "run", {}))
    return model


def test_float_and_int8_side_by_side(trained: object, data: TrainingData, tmp_path: Path) -> None:
    quantised = quantise(trained, data)
    assert quantised.float_scores.examples == quantised.int8_scores.examples == len(data.test)
    assert quantised.float_scores.value > 0.9
    assert abs(quantised.loss) < 0.05
    assert (quantised.input_scale, quantised.input_zero_point) == (data.scale, data.zero_point)
    manifest = write_model(tmp_path / "out" / "model.tflite", quantised, data, {"seed": 3})
    content = (tmp_path / "out" / "model.tflite").read_bytes()
    assert json.loads((tmp_path / "out" / "model.json").read_text()) == manifest
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["labels"] == ["left", "right", "middle"]
    assert manifest["accuracy"] == {"float": quantised.float_scores.value, "int8": quantised.int8_scores.value}


def test_model_with_another_input_scale_still_works(trained: object, data: TrainingData) -> None:
    samples = (1.7 * data.real(data.plain.codes[row : row + 1])[0] for row in range(60))
    other = evaluate_int8(convert(trained, samples), data, data.test)
    assert other.value == pytest.approx(quantise(trained, data).int8_scores.value, abs=0.05)


def test_wrong_number_of_classes(data: TrainingData) -> None:
    with pytest.raises(UsageError, match="4 outputs, the data 3 classes"):
        quantise(build_network(classes=4), data)


def test_calibration_rows_are_balanced_and_seeded(data: TrainingData) -> None:
    rows = calibration_rows(data, 30, seed=1)
    assert len(set(rows)) == 30
    np.testing.assert_array_equal(np.bincount(data.plain.labels[rows]), [10, 10, 10])
    assert rows == calibration_rows(data, 30, seed=1) != calibration_rows(data, 30, seed=2)
    assert sorted(calibration_rows(data, 1000, seed=1)) == list(range(len(data.plain)))
