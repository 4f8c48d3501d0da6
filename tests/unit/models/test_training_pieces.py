"""Pieces of training that any network can have: drop path, learned groups, progressive resizing, binary layers …"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import REPOSITORY
from tinyml.errors import UsageError
from tinyml.models.learned_groups import stage_at
from tinyml.models.progressive import carry_weights, fit_progressively, phases
from tinyml.models.shift_max import shifted

pytestmark = pytest.mark.train


def _tiny(drop_rate: float = 0.0) -> Any:
    import keras

    from tinyml.models.drop_path import drop_path

    inputs = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(2, 1, kernel_initializer="ones", name="conv")(inputs)
    x = keras.layers.Add()([inputs, drop_path(x, drop_rate, name="drop")])
    return keras.Model(inputs, x)


def test_drop_path_leaves_out_whole_examples_and_nothing_in_inference() -> None:
    import keras

    keras.utils.set_random_seed(1)
    model, examples = _tiny(0.5), np.ones((64, 4, 4, 2), np.float32)
    trained = np.asarray(model(examples, training=True)).reshape(64, -1)
    assert set(np.unique(trained)) == {1.0, 5.0}
    assert all(len(set(row)) == 1 for row in trained)
    assert np.all(np.asarray(model(examples)) == 3.0)
    assert not any("drop" in layer.name for layer in _tiny(0.0).layers)


def test_scheduled_drop_path_grows_from_nothing_to_the_full_rate() -> None:
    from tinyml.models.drop_path import scheduled_drop_path

    model = _tiny(0.5)
    callback = scheduled_drop_path(5)
    callback.set_model(model)
    seen = []
    for epoch in range(6):
        callback.on_epoch_begin(epoch)
        seen.append(float(model.get_layer("drop").progress))
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize(("progress", "stage"), [(0.0, 0), (0.1, 0), (0.17, 1), (0.34, 2), (0.5, 3), (1.0, 3)])
def test_condensing_is_done_when_half_of_the_training_is(progress: float, stage: int) -> None:
    assert stage_at(progress, 4) == stage


def test_a_condensed_network_computes_what_the_learned_one_did() -> None:
    import keras

    from tinyml.models import condensenet
    from tinyml.models.learned_groups import condensing

    keras.utils.set_random_seed(2)
    options: dict[str, Any] = {
        "input_shape": (8, 8, 3), "classes": 3, "stages": (2, 2), "growth": (4, 8), "stem_strides": 1
    }  # fmt: skip
    learned = condensenet.build(**options, learning=True)
    learned.compile("sgd", "sparse_categorical_crossentropy")
    images = np.random.default_rng(2).uniform(-1, 1, (16, 8, 8, 3)).astype(np.float32)
    learned.fit(images, np.arange(16) % 3, epochs=4, verbose=0, callbacks=[condensing(4)])
    layer = learned.get_layer("stage2_1_learned")
    assert layer.stage == 3
    assert np.all(np.asarray(layer.mask).sum(axis=0) == layer.mask.shape[0] / 4)
    condensed = condensenet.condense(learned, **options)
    before = keras.Model(learned.input, learned.get_layer("pool").output)
    after = keras.Model(condensed.input, condensed.get_layer("pool").output)
    np.testing.assert_allclose(np.asarray(after(images)), np.asarray(before(images)), rtol=1e-4, atol=1e-5)


def test_phases_grow_to_the_full_resolution_and_share_the_epochs() -> None:
    plan = phases(96, 10, count=3, smallest=0.5, dropout=(0.0, 0.2), drop_rate=(0.0, 0.1))
    assert [phase.resolution for phase in plan] == [48, 72, 96]
    assert [phase.epochs for phase in plan] == [3, 3, 4]
    assert [round(phase.dropout, 3) for phase in plan] == [0.0, 0.1, 0.2]
    with pytest.raises(UsageError):
        phases(96, 2, count=3)


def test_progressive_resizing_carries_the_weights_on() -> None:
    from tinyml.models.catalog import build_model

    marks: list[float] = []

    def fit(model: Any, phase: Any) -> None:
        kernel = model.get_layer("stem").kernel
        marks.append(float(kernel[0, 0, 0, 0]))
        kernel.assign(np.full(kernel.shape, phase.resolution, np.float32))

    plan = phases(48, 2, count=2, smallest=0.5, drop_rate=(0.0, 0.1))
    last = fit_progressively(
        lambda phase: build_model("efficientnet_v2", resolution=phase.resolution, drop_rate=phase.drop_rate), plan, fit
    )
    assert last.input_shape == (None, 48, 48, 3)
    assert marks[1] == 24.0


def test_weights_that_depend_on_the_resolution_cannot_be_carried() -> None:
    import keras

    small, large = (
        keras.Sequential([keras.Input((side, side, 1)), keras.layers.Flatten(), keras.layers.Dense(2, name="dense")])
        for side in (4, 8)
    )
    with pytest.raises(UsageError, match="dense"):
        carry_weights(small, large)


def test_shift_max_looks_at_the_next_channel_of_the_next_group() -> None:
    assert shifted(6, 2) == [4, 5, 3, 1, 2, 0]


def test_shift_max_begins_as_its_input() -> None:
    import keras

    from tinyml.models.shift_max import shift_max

    inputs = keras.Input((3, 3, 8))
    model = keras.Model(inputs, shift_max(inputs, groups=2, sums=2, name="max"))
    for layer in model.layers:
        if layer.name == "max_expand":
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    values = np.random.default_rng(3).uniform(-1, 1, (2, 3, 3, 8)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(model(values)), values, atol=1e-6)


def test_mixed_depthwise_has_a_kernel_for_each_part_of_the_channels() -> None:
    import keras

    from tinyml.models.mixnet import mixed_depthwise

    inputs = keras.Input((8, 8, 10))
    model = keras.Model(inputs, mixed_depthwise(inputs, (3, 5, 7), name="mixed"))
    shapes = {layer.name: layer.kernel.shape[:3] for layer in model.layers if hasattr(layer, "kernel")}
    assert shapes == {"mixed_3x3": (3, 3, 4), "mixed_5x5": (5, 5, 3), "mixed_7x7": (7, 7, 3)}
    assert model.output_shape == (None, 8, 8, 10)


def test_ghost_module_makes_half_of_its_channels_from_the_other_half() -> None:
    import keras

    from tinyml.models.ghostnet import ghost_module

    inputs = keras.Input((4, 4, 6))
    model = keras.Model(inputs, ghost_module(inputs, 7, name="ghost"))
    assert model.output_shape == (None, 4, 4, 7)
    assert model.get_layer("ghost_primary").kernel.shape == (1, 1, 6, 4)


def test_binary_layers_pass_gradients_and_bake_to_signs() -> None:
    import keras

    from tinyml.models import bnn

    keras.utils.set_random_seed(4)
    options: dict[str, Any] = {"input_shape": (8, 8, 3), "filters": (4, 4), "hidden": (8,)}
    learned = bnn.build(**options, learning=True)
    learned.compile("adam", "sparse_categorical_crossentropy")
    images = np.random.default_rng(4).uniform(-1, 1, (8, 8, 8, 3)).astype(np.float32)
    before = np.array(learned.get_layer("conv1").kernel)
    learned.fit(images, np.arange(8), epochs=2, verbose=0)
    assert not np.array_equal(before, np.array(learned.get_layer("conv1").kernel))
    made = bnn.bake(learned, **options)
    assert set(np.unique(np.asarray(made.get_layer("conv2").kernel))) == {-1.0, 1.0}
    np.testing.assert_allclose(np.asarray(made(images)), np.asarray(learned(images)), rtol=1e-4, atol=1e-5)


def test_files_with_layers_of_ours_load(tmp_path: Path) -> None:
    """In a process of its own, where nobody has made the layers yet."""
    import keras

    from tinyml.models import condensenet, gru_kws

    path = tmp_path / "learned.keras"
    condensenet.build(
        input_shape=(8, 8, 3), classes=3, stages=(1,), growth=(4,), stem_strides=1, learning=True
    ).save(path)  # fmt: skip
    gru_kws.build(input_shape=(3, 4, 1), units=4).save(tmp_path / "gru.keras")
    keras.backend.clear_session()
    script = (
        "import sys; from pathlib import Path; import tinyml.models; from tinyml.tflite.convert import load_keras;"
        "print(*(load_keras(Path(name)).name for name in sys.argv[1:]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(path), str(tmp_path / "gru.keras")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["condensenet", "gru_kws"]


def test_the_guides_network_of_all_pieces_trains_and_converts() -> None:
    """The guide's code as it stands, then the network as int8 with ops that the compiler knows."""
    from tinyml.graph.check import check_supported
    from tinyml.tflite.convert import convert
    from tinyml.tflite.read import read_graph

    guide = (REPOSITORY / "docs" / "guides" / "pieces-of-training.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    made: dict[str, Any] = {}
    exec(compile(code, "pieces-of-training.md", "exec"), made)
    model = made["model"]
    assert model.input_shape == (None, 32, 32, 3)
    assert model.get_layer("learned").stage == 3
    check_supported(read_graph(convert(model, made["pictures"])))
