"""Each row of the catalogue that is sized for a board: it learns, and its firmware's bytes are the reference's.

A third of them, quick ones of as many kinds as can be, runs with every test; all of them run with ``make sweep``, where
every tensor is compared and not the outputs alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_module
from tests.support.trivial_network import require_toolchain
from tinyml.errors import DoesNotFitError
from tinyml.models.catalog import CATALOG, Entry, build_model
from tinyml.pipeline import Options, build, compile_model
from tinyml.plan.latency import estimate_instructions
from tinyml.sources import load_source

pytestmark = [pytest.mark.slow, pytest.mark.train]

SIZED = {entry.name: entry for entry in CATALOG if entry.board}
THIRD = (
    "mobilenet_v1_025_96", "squeezenet_025_96", "shufflenet_v2_025_96", "mobilevit_v2_0125_64", "edgevit_64",
    "tinyyolo_0125_96", "fastspeech_16", "bnn_32", "ds_cnn_s", "ds_cnn_xs", "tc_resnet8_49x10", "tc_resnet8",
    "tc_resnet14", "micronet_kws_s", "streaming_kws_49x10", "streaming_kws_svdf", "gru_kws_32", "resnet8",
    "autoencoder", "super_resolution_48", "fusion_audio_image", "digits_cnn",
)  # fmt: skip
"""Depthwise, shuffled, attention, recurrence, streaming, binary weights, detection, two inputs, and plain."""
GROUPED = "condensenet_96"
"""Proven with every test as well, untrained: TensorFlow takes half a minute to train grouped convolutions on a CPU."""
WEIGHED, ESTIMATED_WITHIN = frozenset({"edgevit_64", GROUPED, "shufflenet_v2_025_96"}), 0.08
"""Rows of attention, layer norms and grouped convolutions, whose instructions are estimated nearly as counted."""
CORTEX_M4F = ("nano33ble", "mps2-an386")
"""The board that most rows are sized for; where one does not fit, the same core with more memory."""
EXAMPLES, EPOCHS = 8, 10


@pytest.fixture(autouse=True)
def clear_keras_session() -> Any:
    yield
    import keras

    keras.backend.clear_session()


def test_a_third_of_the_rows_runs_with_every_test() -> None:
    assert set(THIRD) <= set(SIZED)
    assert len(set(THIRD)) >= len(SIZED) / 3


@pytest.mark.parametrize("name", THIRD)
def test_a_row_learns_and_its_firmware_equals_the_reference(name: str, tmp_path: Path) -> None:
    learn_and_prove(SIZED[name], tmp_path, trace=False)


def test_the_firmware_of_grouped_convolutions_equals_the_reference(tmp_path: Path) -> None:
    prove(SIZED[GROUPED], GROUPED, tmp_path, trace=False)


@pytest.mark.sweep
@pytest.mark.parametrize("name", SIZED)
def test_a_row_learns_and_its_firmware_equals_the_reference_in_every_tensor(name: str, tmp_path: Path) -> None:
    learn_and_prove(SIZED[name], tmp_path, trace=True)


def learn_and_prove(entry: Entry, folder: Path, *, trace: bool) -> None:
    """Train the row's network for a moment and prove it."""
    prove(entry, trained(entry), folder, trace=trace)


def prove(entry: Entry, model: Any, folder: Path, *, trace: bool) -> None:
    """Build the firmware of ``model`` for a Cortex-M4F and prove it in emulation."""
    require_module("unicorn")
    options = Options(inputs=2, trace=trace, emulator="unicorn", toolchain=require_toolchain("gcc"))
    source = load_source(model)
    for number, board in enumerate(CORTEX_M4F):
        try:
            proof = build(source, board, folder / board, options).emulation
        except DoesNotFitError:
            assert number == 0 and entry.board != board
            continue
        assert proof is not None
        assert (proof.equal, proof.mismatches) == (True, 0)
        assert (proof.traced_tensors > 0) is trace
        if entry.name in WEIGHED and not trace:
            estimated = estimate_instructions(compile_model(source, board, options).program)
            assert estimated == pytest.approx(proof.instructions, rel=ESTIMATED_WITHIN)
        return
    pytest.fail(f"{entry.name} fits none of {CORTEX_M4F}")


def trained(entry: Entry) -> Any:
    """The row's network after a few examples were learned by heart, which every row's gradients have to lead to."""
    import keras

    keras.utils.set_random_seed(11)
    model = build_model(entry.name)
    source = np.random.default_rng(11)
    inputs = [source.uniform(-1, 1, (EXAMPLES, *shape)).astype(np.float32) for shape in entry.input_shapes]
    shapes = [tuple(output.shape[1:]) for output in model.outputs]
    if entry.classes and shapes == [(entry.classes,)]:
        loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=entry.classes > 511)
        targets: Any = np.arange(EXAMPLES) % min(entry.classes, 4)
    else:
        loss = "mean_squared_error"
        made = [source.uniform(0, 1, (EXAMPLES, *shape)).astype(np.float32) for shape in shapes]
        targets = made[0] if len(made) == 1 else made
    # Ten steps take less time than tracing a graph for them would, but grouped convolutions are compiled in each.
    grouped = any(getattr(layer, "groups", 1) > 1 for layer in model.layers)
    model.compile(keras.optimizers.Adam(2e-3), loss, run_eagerly=not grouped, jit_compile=False)
    examples = inputs[0] if len(inputs) == 1 else inputs
    history = model.fit(examples, targets, batch_size=EXAMPLES, epochs=EPOCHS, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert min(history[-3:]) < 0.95 * history[0]
    return model
