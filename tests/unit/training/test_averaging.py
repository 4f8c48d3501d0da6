"""The moving average of weights against the same sum in NumPy, and that the model gets its own weights back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.training.conftest import build_network
from tinyml.training.averaging import WeightAverage

pytestmark = pytest.mark.train


def test_averages_follow_the_formula_and_are_lent() -> None:
    model = build_network()
    average = WeightAverage(model, 0.8)
    expected = [np.array(weight) for weight in model.weights]
    generator = np.random.default_rng(1)
    for step in range(1, 60):
        for weight in model.weights:
            weight.assign(generator.normal(size=weight.shape))
        average.update()
        decay = min(0.8, (1 + step) / (10 + step))
        expected = [
            decay * one + (1 - decay) * np.asarray(weight) for one, weight in zip(expected, model.weights, strict=True)
        ]
    own = [np.array(weight) for weight in model.weights]
    with average.in_place():
        for weight, value in zip(model.weights, expected, strict=True):
            np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)
    for weight, value in zip(model.weights, own, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert len(average.variables) == len(model.weights) + 1


def test_no_decay_keeps_nothing() -> None:
    average = WeightAverage(build_network(), 0.0)
    average.update()
    assert average.variables == []
