"""Networks that learn in another form than they run: what a run ends with, and what is told to layers that ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.training.test_session import project as project
from tests.unit.training.test_transfer_session import trained
from tinyml.cli import main
from tinyml.models.drop_path import drop_path_layer
from tinyml.models.learned_groups import learned_group_layer
from tinyml.tflite.convert import load_keras
from tinyml.training.fit import begin_epoch

pytestmark = pytest.mark.train

FIT = ("--epochs", "3", "--batch-size", "8", "--resolution", "16")
BINARY = ("bnn_32", "--set", "filters=4,4", "--set", "hidden=8")
GROUPS = ("condensenet_96", "--set", "stages=1,1", "--set", "growth=4,8", "--set", "stem_strides=1")


def test_a_binary_network_ends_with_signs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(capsys, *BINARY, "--output", "signs", fit=FIT)
    learned, made = (load_keras(project / "signs" / name) for name in ("learned.keras", "best.keras"))
    kernel = np.asarray(learned.get_layer("conv2").kernel)
    assert len(np.unique(kernel)) > 2
    np.testing.assert_array_equal(np.asarray(made.get_layer("conv2").kernel), np.where(kernel >= 0, 1, -1))
    capsys.readouterr()
    assert main(["quantize", "signs", "--output", "signs.tflite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["int8"]["examples"] == 24
    assert main(["quantize", "signs", "--output", "other.tflite", "--qat", "1"]) == 2
    assert "'conv1' holds only -1 and 1" in capsys.readouterr().err


def test_learned_groups_are_condensed_and_indexed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(capsys, *GROUPS, "--output", "groups", fit=FIT)
    learned, made = (load_keras(project / "groups" / name) for name in ("learned.keras", "best.keras"))
    layer = learned.get_layer("stage2_1_learned")
    assert layer.stage == 3, "the best epoch is one in which nothing was taken away any more"
    assert made.get_layer("stage2_1_conv1").groups == 4
    kept = np.flatnonzero(np.asarray(layer.mask)[:, 0])
    np.testing.assert_array_equal(np.asarray(made.get_layer("stage2_1_index").indices)[: kept.size], kept)
    assert "conv1" in "".join(layer.name for layer in made.layers)


def test_it_is_not_trained_on_quantised(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *BINARY, "--data", "pictures", "--qat", "2", "--output", "run"]) == 2
    assert "train it without --qat" in capsys.readouterr().err
    assert not (project / "run").exists()


def test_layers_are_told_how_far_the_training_is() -> None:
    import keras

    inputs = keras.Input((2, 2, 8))
    x = learned_group_layer()(8, 4, name="groups")(inputs)
    model = keras.Model(inputs, drop_path_layer()(0.5, scheduled=True, name="drop")(x))
    model_told: list[Any] = [(begin_epoch(model, epoch, 7), model.get_layer("groups").stage) for epoch in range(7)]
    assert model_told == [(False, 0), (False, 0), (True, 1), (True, 2), (True, 3), (False, 3), (False, 3)]
    assert float(model.get_layer("drop").progress) == 1.0
