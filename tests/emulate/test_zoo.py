"""Each row of the catalogue that is sized for a board: it learns, and its firmware's bytes are the reference's.

A few small ones run with every test, the others with ``make sweep``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_module
from tests.support.trivial_network import require_toolchain
from tinyml.errors import DoesNotFitError
from tinyml.models.catalog import CATALOG, Entry, build_model, find_entry
from tinyml.pipeline import Options, build

pytestmark = [pytest.mark.slow, pytest.mark.train]

SIZED = [entry for entry in CATALOG if entry.board]
QUICK = {"streaming_kws_49x10", "super_resolution_48"}
CORTEX_M4F = ("nano33ble", "mps2-an386")
"""The board that most rows are sized for; where one does not fit, the same core with more memory."""


def rows() -> list[Any]:
    """The sized rows, all but the quick ones for the sweep."""
    return [
        pytest.param(entry, id=entry.name, marks=[] if entry.name in QUICK else [pytest.mark.sweep]) for entry in SIZED
    ]


@pytest.fixture(autouse=True)
def clear_keras_session() -> Any:
    yield
    import keras

    keras.backend.clear_session()


def test_the_quick_rows_are_rows() -> None:
    assert {find_entry(name).name for name in QUICK} <= {entry.name for entry in SIZED}


@pytest.mark.parametrize("entry", rows())
def test_outputs_and_tensors_equal_the_reference_on_an_emulated_cortex_m4f(entry: Entry, tmp_path: Path) -> None:
    require_module("unicorn")
    options = Options(inputs=2, trace=True, emulator="unicorn", toolchain=require_toolchain("gcc"))
    for number, board in enumerate(CORTEX_M4F):
        try:
            proof = build(entry.name, board, tmp_path / board, options).emulation
        except DoesNotFitError:
            assert number == 0 and entry.board != board
            continue
        assert proof is not None
        assert (proof.equal, proof.mismatches) == (True, 0)
        assert proof.traced_tensors > 0
        return
    pytest.fail(f"{entry.name} fits none of {CORTEX_M4F}")


@pytest.mark.parametrize("entry", rows())
def test_the_loss_falls(entry: Entry) -> None:
    """Sixteen examples learned by heart: every row's gradients lead somewhere."""
    import keras

    keras.utils.set_random_seed(11)
    model = build_model(entry.name)
    source = np.random.default_rng(11)
    inputs = [source.uniform(-1, 1, (16, *shape)).astype(np.float32) for shape in entry.input_shapes]
    shapes = [tuple(output.shape[1:]) for output in model.outputs]
    if entry.classes and shapes == [(entry.classes,)]:
        loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=entry.classes > 511)
        targets: Any = np.arange(16) % min(entry.classes, 4)
    else:
        loss = "mean_squared_error"
        made = [source.uniform(0, 1, (16, *shape)).astype(np.float32) for shape in shapes]
        targets = made[0] if len(made) == 1 else made
    model.compile(keras.optimizers.Adam(2e-3), loss)
    examples = inputs[0] if len(inputs) == 1 else inputs
    history = model.fit(examples, targets, batch_size=16, epochs=12, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert min(history[-3:]) < 0.95 * history[0]
