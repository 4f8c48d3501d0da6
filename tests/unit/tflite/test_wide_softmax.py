"""SOFTMAX over very many classes: undefined inputs are recognised before the reference stops the process."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.tflite_builder import Builder
from tinyml.errors import UnsupportedError
from tinyml.tflite.reference import Reference

CLASSES = 1000


def _model(classes: int, *, followed: bool = False) -> bytes:
    model = Builder()
    x = model.input((1, classes), scale=0.1)
    y = model.softmax(x)
    return model.build([model.reshape(y, (classes, 1)) if followed else y])


def _peaked(classes: int, height: int) -> np.ndarray:
    logits = np.full((1, classes), -100, np.int8)
    logits[0, 7] += height
    return logits


@pytest.mark.parametrize("followed", [False, True])
def test_flat_logits_of_a_thousand_classes_are_undefined(followed: bool) -> None:
    reference = Reference(_model(CLASSES, followed=followed))
    flat = np.zeros((1, CLASSES), np.int8)
    assert not reference.defined([flat])
    with pytest.raises(UnsupportedError, match="not defined for this input"):
        reference.run([flat])
    with pytest.raises(UnsupportedError, match="not defined for this input"):
        reference.trace([flat])


@pytest.mark.parametrize("height", [20, 60, 120])
def test_logits_that_are_peaked_enough_run(height: int) -> None:
    reference = Reference(_model(CLASSES))
    logits = _peaked(CLASSES, height)
    total = 1 + (CLASSES - 1) * np.exp(-0.1 * height)
    assert reference.defined([logits]) == (total < 511)
    output = reference.run([logits])[0].astype(int) + 128
    assert output[0, 7] == pytest.approx(256 / total, abs=1)


def test_five_hundred_and_eleven_equal_logits_are_fine() -> None:
    reference = Reference(_model(511))
    assert reference.defined([np.zeros((1, 511), np.int8)])
    assert set(np.unique(reference.run([np.zeros((1, 511), np.int8)])[0])) <= {-128, -127}


def test_one_flat_row_among_many_is_found() -> None:
    model = Builder()
    x = model.input((3, CLASSES), scale=0.1)
    reference = Reference(model.build([model.softmax(x)]))
    rows = np.repeat(_peaked(CLASSES, 120), 3, axis=0)
    assert reference.defined([rows])
    rows[1] = 0
    assert not reference.defined([rows])


@pytest.mark.parametrize(("height", "gain", "defined"), [(120, 20.0, True), (120, 0.1, False), (0, 20.0, False)])
def test_logits_that_depend_on_another_wide_softmax_are_looked_at_in_turn(
    height: int, gain: float, defined: bool
) -> None:
    model = Builder()
    y = model.softmax(model.input((1, CLASSES), scale=0.1))
    factor = model.constant(np.array(127, np.int8), scale=gain / 127)
    logits = model.binary("MUL", y, factor, scale=gain / 255, zero_point=-128)
    reference = Reference(model.build([model.softmax(logits), y]))
    given = _peaked(CLASSES, height)
    assert reference.defined([given]) == defined
    if defined:
        outputs = reference.run([given])
        assert [int(output.argmax()) for output in outputs] == [7, 7]
    else:
        with pytest.raises(UnsupportedError, match="not defined for this input"):
            reference.run([given])
