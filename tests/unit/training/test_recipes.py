"""Recipes: what becomes of small data sets that the test writes, for every task."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from tinyml.errors import UsageError
from tinyml.training.recipes import RECIPES, DataOptions, open_data
from tinyml.training.recipes.keywords import OWN_PART, SILENCE_SHARE, UNKNOWN_SHARE

RATE_HZ = 16_000


def write_wav(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())


def tone(hz: float, seconds: float, seed: int) -> np.ndarray:
    source = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return np.round(6000 * np.sin(2 * np.pi * hz * time_s + source.uniform(0, 6)) + source.normal(0, 200, len(time_s)))


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two keywords and two other words in the layout of Speech Commands, with lists and noise."""
    folder = tmp_path / "speech"
    lists: dict[str, list[str]] = {"validation": [], "testing": []}
    for number, word in enumerate(("yes", "no", "bed", "cat")):
        for index in range(8):
            name = f"{word}/{index}_nohash_0.wav"
            write_wav(folder / name, tone(300 + 400 * number, 1.0, 10 * number + index))
            if index >= 4:
                lists["validation" if index < 6 else "testing"].append(name)
    for split, names in lists.items():
        (folder / f"{split}_list.txt").write_text("\n".join(names))
    write_wav(folder / "_background_noise_" / "hiss.wav", np.random.default_rng(3).normal(0, 300, 20 * RATE_HZ))
    return folder


def test_keywords_become_features_of_the_models_shape(speech: Path) -> None:
    dataset, recipe = open_data(speech, DataOptions(words=("yes", "no")))
    assert recipe.name == "keywords"
    data = recipe.prepare(dataset, DataOptions(words=("yes", "no")), (49, 10, 1))
    assert data.labels == ("yes", "no", "_silence_", "_unknown_")
    assert data.input_shape == (49, 10, 1)
    assert data.frontend["kind"] == "audio"
    assert data.counts["train"]["yes"] == data.counts["train"]["no"] == 4
    low, high = data.input_range
    assert (data.scale, data.zero_point) == (data.frontend["input_scale"], data.frontend["input_zero_point"])
    assert high - low == pytest.approx(255 * data.scale)


def test_every_epoch_is_drawn_anew_and_balanced(speech: Path) -> None:
    dataset, recipe = open_data(speech, DataOptions(words=("yes", "no")))
    data = recipe.prepare(dataset, DataOptions(), (49, 10, 1))
    first, again, second = (data.epoch(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.codes, again.codes)
    assert not np.array_equal(first.codes, second.codes)
    np.testing.assert_array_equal(np.bincount(first.labels), [4, 4, round(4 * SILENCE_SHARE), round(4 * UNKNOWN_SHARE)])


def test_extra_unknown_words_are_used_but_never_keywords(speech: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "extra" / "zebra" / "0.wav", tone(2000, 0.5, 1))
    write_wav(tmp_path / "extra" / "yes" / "0.wav", tone(2500, 0.5, 1))
    from tinyml.training.recipes.keywords import read_extra

    dataset, _ = open_data(speech, DataOptions(words=("yes", "no")))
    extra = read_extra((tmp_path / "extra",), dataset)
    assert extra.shape == (1, RATE_HZ)
    assert 0 < OWN_PART < 1
    with pytest.raises(UsageError):
        read_extra((tmp_path / "nothing",), dataset)


@pytest.mark.parametrize("shape", [(49, 40, 1), (49, 13, 1), (49, 10)])
def test_other_numbers_of_features_are_calibrated(speech: Path, shape: tuple[int, ...]) -> None:
    dataset, recipe = open_data(speech, DataOptions(words=("yes", "no")))
    data = recipe.prepare(dataset, DataOptions(), shape)
    assert data.input_shape == shape
    assert 5 < data.plain.codes.astype(float).std() < 60


@pytest.mark.parametrize("shape", [(32, 10, 1), (49, 41, 1), (96, 96, 3), (640,)])
def test_shapes_that_speech_cannot_give(speech: Path, shape: tuple[int, ...]) -> None:
    dataset, recipe = open_data(speech, DataOptions(words=("yes", "no")))
    with pytest.raises(UsageError):
        recipe.prepare(dataset, DataOptions(), shape)


@pytest.fixture
def machines(tmp_path: Path) -> Path:
    """Ten-second recordings of a machine, one of them with another note."""
    folder = tmp_path / "machine"
    for index in range(4):
        write_wav(folder / "train" / f"normal_{index}.wav", tone(500, 10.0, index))
    write_wav(folder / "test" / "normal_a.wav", tone(500, 10.0, 11))
    write_wav(folder / "test" / "anomaly_a.wav", tone(1500, 10.0, 12))
    return folder


def test_machine_sounds_become_windows(machines: Path) -> None:
    dataset, recipe = open_data(machines, DataOptions())
    assert recipe.name == "anomaly"
    data = recipe.prepare(dataset, DataOptions(), (640,))
    assert data.input_shape == (640,)
    assert data.test.groups is not None
    assert sorted(np.unique(data.test.groups)) == [0, 1]
    assert data.epoch(np.random.default_rng(1)).codes.shape[1:] == (640,)
    assert data.counts["test"] == {"normal": 1, "anomaly": 1}


@pytest.mark.train
def test_autoencoder_finds_the_odd_sound(machines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyml.models.catalog import build_model
    from tinyml.training.fit import FitOptions, fit, seed_everything
    from tinyml.training.quantize import quantise
    from tinyml.training.recipes import anomaly
    from tinyml.training.runs import Run

    monkeypatch.setattr(anomaly, "EPOCH_WINDOWS", 2_000)
    dataset, recipe = open_data(machines, DataOptions())
    data = recipe.prepare(dataset, DataOptions(), (640,))
    seed_everything(1)
    model = build_model("autoencoder", width=32, depth=2)
    fit(model, data, FitOptions(epochs=4, batch_size=64, patience=4), Run.create(tmp_path / "run", {}))
    quantised = quantise(model, data)
    assert quantised.float_scores.value == quantised.int8_scores.value == 1.0
    assert quantised.int8_scores.examples == 2


def test_every_recipe_is_found_by_one_layout() -> None:
    layouts = [layout for recipe in RECIPES for layout in recipe.layouts]
    assert len(layouts) == len(set(layouts))
    from tinyml.data import LAYOUTS

    assert {layout.name for layout in LAYOUTS} == set(layouts)
