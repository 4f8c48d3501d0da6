"""Calibration after training and the report of where int8 hurts, on a network with an outlier and a bad layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinyml.compression.calibration import METHODS, MINMAX, MSE, PERCENTILE, correct_biases, set_ranges
from tinyml.compression.equalise import equalise
from tinyml.compression.qat import bake, prepare, ranges_of
from tinyml.compression.sqnr import MOST_DB, decibels, layer_errors

pytestmark = pytest.mark.train


def network() -> Any:
    from tinyml.tflite.quiet import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 2), name="picture")
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = keras.layers.DepthwiseConv2D(3, name="second")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="last")(keras.layers.Flatten(name="flat")(x)), name="net")


def batches() -> list[np.ndarray]:
    inputs = np.random.default_rng(1).uniform(-1, 1, (400, 6, 6, 2)).astype(np.float32)
    inputs[0, 0, 0, 0] = 60.0
    return [inputs[:200], inputs[200:]]


def prepared(method: str) -> Any:
    model = prepare(network())
    set_ranges(model, batches(), method)
    return model


def test_outlier_stretches_only_the_extremes() -> None:
    widths = {method: prepared(method).get_layer("picture_range").limits()[1] for method in METHODS}
    assert widths[MINMAX] == 60.0
    assert widths[PERCENTILE] < 1.1
    assert widths[MSE] < 60.0


def test_better_ranges_lose_less() -> None:
    inputs = batches()[1]
    exact = np.asarray(network()(inputs))
    found = {method: decibels(exact, np.asarray(prepared(method)(inputs, training=False))) for method in METHODS}
    assert found[PERCENTILE] > found[MINMAX] + 6
    assert found[MSE] >= found[MINMAX]


def test_least_error_clips_long_tails() -> None:
    tails = np.random.default_rng(1).laplace(0, 1, (400, 6, 6, 2)).astype(np.float32)
    noise = {}
    for method in (MINMAX, MSE):
        model = prepare(network())
        set_ranges(model, [tails], method)
        noise[method] = np.mean((np.asarray(model.get_layer("picture_range")(tails)) - tails) ** 2)
    assert noise[MSE] < 0.97 * noise[MINMAX]


def test_given_ranges_stay() -> None:
    for method in METHODS:
        model = prepare(network(), input_ranges=[(-1.0, 127 / 128)])
        set_ranges(model, batches(), method)
        assert model.get_layer("picture_range").limits() == (-1.0, np.float32(127 / 128))


def test_bias_correction_takes_the_mean_error_out() -> None:
    keras_model = network()
    dense = keras_model.get_layer("last")
    kernel = np.asarray(dense.kernel).copy()
    kernel[0, 0] = 40.0
    dense.kernel.assign(kernel)
    inputs = batches()[1]
    model = prepare(keras_model)
    set_ranges(model, [inputs], MINMAX)
    exact = np.asarray(keras_model(inputs))
    before = np.abs((np.asarray(model(inputs, training=False)) - exact).mean(axis=0))
    correct_biases(model, [inputs])
    after = np.abs((np.asarray(model(inputs, training=False)) - exact).mean(axis=0))
    assert after.sum() < 0.6 * before.sum()
    assert len(ranges_of(bake(model))) == len(ranges_of(model))


def test_report_finds_the_layer_that_hurts() -> None:
    keras_model = network()
    kernel = np.asarray(keras_model.get_layer("last").kernel).copy()
    kernel[0, 0] = 60.0
    keras_model.get_layer("last").kernel.assign(kernel)
    inputs = batches()[1][:64]
    model = prepare(keras_model)
    set_ranges(model, [inputs], MINMAX)
    before = np.asarray(model(inputs, training=False))
    errors = layer_errors(model, inputs)
    assert [(error.layer, error.kind) for error in errors] == [
        ("picture", "range"),
        ("first", "kernel"),
        ("first_relu", "range"),
        ("second", "kernel"),
        ("second", "range"),
        ("last", "kernel"),
        ("last", "range"),
    ]
    kernels = {error.layer: error.alone_db for error in errors if error.kind == "kernel"}
    assert min(kernels, key=lambda name: kernels[name]) == "last"
    assert all(5 < error.alone_db < MOST_DB for error in errors)
    np.testing.assert_array_equal(model(inputs, training=False), before)


def test_decibels() -> None:
    assert decibels(np.ones(4), np.ones(4)) == MOST_DB
    assert decibels(np.full(4, 10.0), np.full(4, 9.0)) == pytest.approx(20)


def test_equalisation_keeps_the_function_and_helps_uneven_channels() -> None:
    from tinyml.tflite.quiet import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 2), name="picture")
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="second")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    x = keras.layers.Dense(6, activation="relu", name="hidden")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="last")(x), name="net")
    hidden = model.get_layer("hidden")
    sizes = np.array([1, 30, 0.02, 1, 5, 0.1], np.float32)
    hidden.set_weights([np.asarray(hidden.kernel) * sizes, np.asarray(hidden.bias)])
    last = model.get_layer("last")
    last.set_weights([np.asarray(last.kernel) / sizes[:, np.newaxis], np.asarray(last.bias)])
    seen = batches()[1]
    exact, even = np.asarray(model(seen)), equalise(model)
    np.testing.assert_allclose(even(seen), exact, rtol=1e-4, atol=1e-5)
    kernels = [np.abs(np.asarray(even.get_layer(name).kernel)) for name in ("hidden", "last")]
    np.testing.assert_allclose(kernels[0].max(axis=0), kernels[1].max(axis=1), rtol=1e-3)
    found = []
    for source in (model, even):
        simulated = prepare(source)
        set_ranges(simulated, [seen], MINMAX)
        found.append(decibels(exact, np.asarray(simulated(seen, training=False))))
    assert found[1] > found[0] + 6


def test_relu6_is_not_equalised_across() -> None:
    from tinyml.tflite.quiet import import_keras

    keras = import_keras()
    inputs = keras.Input((6, 6, 2), name="picture")
    x = keras.layers.ReLU(max_value=6.0, name="bounded")(keras.layers.Conv2D(4, 3, name="first")(inputs))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, name="second")(x), name="net")
    np.testing.assert_array_equal(equalise(model).get_layer("first").kernel, model.get_layer("first").kernel)
