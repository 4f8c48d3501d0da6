"""Quantising a ``.keras`` file with samples of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tinyml.errors import UsageError
from tinyml.tflite.read import read_graph
from tinyml.training.samples import quantise_with_samples

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one input, a model of two, and samples for both."""
    import keras

    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("samples")
    one = keras.Input((6,), name="one")
    keras.Model(one, keras.layers.Dense(3)(one), name="single").save(path / "single.keras")
    two = keras.Input((6,), name="two")
    both = keras.layers.Concatenate()([keras.layers.Dense(4)(one), keras.layers.Dense(4)(two)])
    keras.Model([one, two], keras.layers.Dense(2)(both), name="double").save(path / "double.keras")
    source = np.random.default_rng(1)
    wide, narrow = source.uniform(-8, 8, (20, 6)), source.uniform(-1, 1, (20, 6))
    np.save(path / "wide.npy", wide)
    np.savez(path / "both.npz", two=narrow, one=wide)
    return path


def test_the_samples_set_the_ranges_and_the_manifest_travels(folder: Path) -> None:
    manifest, target = quantise_with_samples(folder / "single.keras", folder / "wide.npy", labels=["a", "b", "c"])
    assert target == folder / "single.tflite"
    assert json.loads(target.with_suffix(".json").read_text()) == manifest
    assert manifest["labels"] == ["a", "b", "c"]
    graph = read_graph(target)
    assert graph.tensors[graph.inputs[0]].scale == pytest.approx(16 / 255, rel=0.1)


def test_several_inputs_are_matched_by_name(folder: Path, tmp_path: Path) -> None:
    _, target = quantise_with_samples(folder / "double.keras", folder / "both.npz", output=tmp_path / "m.tflite")
    graph = read_graph(target)
    scales = [graph.tensors[i].scale for i in graph.inputs]
    assert scales == [pytest.approx(16 / 255, rel=0.1), pytest.approx(2 / 255, rel=0.1)]


@pytest.mark.parametrize(
    ("model", "samples", "labels", "message"),
    [
        ("single.keras", "absent.npy", (), "there is no samples file"),
        ("single.keras", "single.keras", (), "no array for the input 'one'"),
        ("double.keras", "wide.npy", (), "no array for the input 'two'"),
        ("single.keras", "wide.npy", ("a", "b"), "2 labels were given"),
        ("absent.keras", "wide.npy", (), "there is no model file"),
    ],
)
def test_bad_files_are_usage_errors(
    folder: Path, tmp_path: Path, model: str, samples: str, labels: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        quantise_with_samples(folder / model, folder / samples, labels=labels, output=tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_samples_of_another_shape_name_both_shapes(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "narrow.npy", np.zeros((4, 5), np.float32))
    with pytest.raises(UsageError, match=r"shape \(5,\), the input \(6,\)"):
        quantise_with_samples(folder / "single.keras", tmp_path / "narrow.npy")


def test_the_command_takes_samples_and_names_what_is_missing(folder: Path, tmp_path: Path) -> None:
    from tinyml.cli.quantize import command

    target = tmp_path / "single.tflite"
    arguments = [str(folder / "single.keras"), "--samples", str(folder / "wide.npy"), "-o", str(target), "--json"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert json.loads(result.stdout)["output"] == str(target)
    assert target.is_file()
    with pytest.raises(UsageError) as caught:
        command.main([str(folder / "single.keras")], standalone_mode=False)
    assert "--samples" in str(caught.value.hint)
