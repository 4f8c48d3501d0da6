"""``tinyml.check`` as a notebook calls it."""

from __future__ import annotations

from typing import Any

import pytest

import tinyml
from tests.support.sample_models import sample_conv_model
from tinyml.errors import UsageError


@pytest.fixture
def model_path(tmp_path: Any) -> str:
    path = tmp_path / "sample.tflite"
    path.write_bytes(sample_conv_model())
    return str(path)


def test_it_gives_the_numbers_of_the_command_line(model_path: str) -> None:
    from tinyml import pipeline

    result = tinyml.check(model_path, board="nano33ble")
    assert result.fits
    assert result.to_json() == pipeline.check(model_path, "nano33ble").to_json()
    assert str(result).startswith("sample on nano33ble: fits")


def test_what_does_not_fit_is_a_result(model_path: str) -> None:
    result = tinyml.check(model_path, board="nano33ble", sram_bytes=64)
    assert not result.fits
    assert "does not fit" in str(result)


def test_the_result_shows_itself(model_path: str) -> None:
    class Printer:
        shown = ""

        def text(self, words: str) -> None:
            self.shown += words

    printer = Printer()
    result = tinyml.check(model_path, board="nano33ble")
    result._repr_pretty_(printer, False)
    assert printer.shown == str(result)


def test_an_unknown_board_is_a_usage_error(model_path: str) -> None:
    with pytest.raises(UsageError, match="unknown board 'nano'"):
        tinyml.check(model_path, board="nano")


@pytest.mark.train
def test_it_takes_a_keras_model_and_leaves_it_as_it_is() -> None:
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)), name="tiny")
    before = [weight.numpy().copy() for weight in model.weights]
    result = tinyml.check(model, board="microbit")
    assert result.fits
    assert result.model == "tiny"
    assert result.macs == 8 * 8 * 4 * 27 + 256 * 2
    assert all((weight.numpy() == kept).all() for weight, kept in zip(model.weights, before, strict=True))
    assert model.input_shape == (None, 8, 8, 3)
