"""Recipes: what becomes of small data sets that the test writes, for every task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.data import makers
from tinyml.errors import UsageError
from tinyml.training.examples import Examples
from tinyml.training.mixing import Masking
from tinyml.training.recipes import RECIPES, DataOptions, open_data
from tinyml.training.recipes.keywords import (
    CUT_SHARE,
    EXTRA_SHARE,
    FOREIGN_SHARE,
    OWN_SHARE,
    SILENCE_SHARE,
    Draws,
)

RATE_HZ = 16_000


def hum(hz: float, seconds: float, seed: int) -> np.ndarray:
    """A tone in soft noise, int16."""
    source = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noisy = 6000 * np.sin(2 * np.pi * hz * time_s + source.uniform(0, 6)) + source.normal(0, 200, len(time_s))
    return np.round(noisy).astype(np.int16)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two keywords and two other words in the layout of Speech Commands."""
    return makers.speech_commands(tmp_path / "speech", dict.fromkeys(("yes", "no", "bed", "cat"), (4, 2, 2)))


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
    unknown = round(4 * (OWN_SHARE + EXTRA_SHARE + FOREIGN_SHARE)) + round(4 * CUT_SHARE)
    np.testing.assert_array_equal(np.bincount(first.labels), [4, 4, round(4 * SILENCE_SHARE), unknown])


def test_draws_are_shared_by_epochs_and_masked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make(rng: np.random.Generator) -> Examples:
        made.append(rng)
        return Examples(rng.integers(-100, 100, (6, 49, 10, 1)).astype(np.int8), np.arange(6))

    draws = Draws(make, seed=3, count=2)
    epochs = [draws.epoch(np.random.default_rng(number)) for number in range(8)]
    assert len(made) == 2
    assert len({epoch.codes.tobytes() for epoch in epochs}) == 8
    again = Draws(make, seed=3, count=2).epoch(np.random.default_rng(5))
    np.testing.assert_array_equal(again.codes, epochs[5].codes)
    monkeypatch.setattr("tinyml.training.recipes.keywords.MASKING", Masking(time_masks=0, feature_masks=0))
    bare = [draws.epoch(np.random.default_rng(number)) for number in range(8)]
    assert len({epoch.codes.tobytes() for epoch in bare}) == 2


def test_words_alone_have_neither_silence_nor_unknown(speech: Path) -> None:
    options = DataOptions(words=("no", "yes"), words_alone=True)
    dataset, recipe = open_data(speech, options)
    data = recipe.prepare(dataset, options, (49, 10, 1))
    assert data.labels == ("no", "yes")
    assert data.counts["train"] == {"no": 4, "yes": 4}
    np.testing.assert_array_equal(np.bincount(data.epoch(np.random.default_rng(1)).labels), [4, 4])
    assert set(data.test.labels.tolist()) == {0, 1}


def test_extra_unknown_words_are_used_but_never_keywords(speech: Path, tmp_path: Path) -> None:
    makers.write(tmp_path / "extra" / "zebra" / "0.wav", makers.wav_bytes(hum(2000, 0.5, 1)))
    makers.write(tmp_path / "extra" / "yes" / "0.wav", makers.wav_bytes(hum(2500, 0.5, 1)))
    from tinyml.training.recipes.keywords import read_extra

    dataset, _ = open_data(speech, DataOptions(words=("yes", "no")))
    extra = read_extra((tmp_path / "extra",), dataset)
    assert extra.shape == (1, RATE_HZ)
    with pytest.raises(UsageError):
        read_extra((tmp_path / "nothing",), dataset)


def test_further_folders_without_other_words_are_refused(speech: Path, tmp_path: Path) -> None:
    dataset, recipe = open_data(speech, DataOptions(words=("yes", "no")))
    further = makers.speech_commands(tmp_path / "further", {"yes": (2, 0, 0)}, lists=False)
    with pytest.raises(UsageError, match="further holds no clips of other words"):
        recipe.prepare(dataset, DataOptions(unknown=(further,)), (49, 10, 1))


def test_a_word_whose_training_clips_are_all_damaged_is_refused(speech: Path) -> None:
    listed = {line for name in ("validation", "testing") for line in (speech / f"{name}_list.txt").read_text().split()}
    for clip in (speech / "no").glob("*.wav"):
        if f"no/{clip.name}" not in listed:
            clip.write_bytes(clip.read_bytes()[:30])
    dataset, recipe = open_data(speech, DataOptions(words=("yes", "no")))
    with pytest.raises(UsageError, match="all 4 training samples of 'no' are damaged"):
        recipe.prepare(dataset, DataOptions(), (49, 10, 1))


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


def test_small_pictures_are_shifted_every_epoch(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    sets = {
        "mnist": (makers.mnist(tmp_path / "m", 40, 20), (28, 28, 1)),
        "cifar10": (makers.cifar10(tmp_path / "c", 40, 20), (32, 32, 3)),
    }
    for name, (folder, shape) in sets.items():
        dataset, recipe = open_data(folder, DataOptions())
        data = recipe.prepare(dataset, DataOptions(), shape)
        assert (recipe.name, data.input_shape, len(data.test)) == (name, shape, 20)
        assert len(data.plain) + len(data.validation) == 40
        epoch = data.epoch(np.random.default_rng(1))
        assert epoch.codes.shape == data.plain.codes.shape
        assert not np.array_equal(epoch.codes, data.epoch(np.random.default_rng(2)).codes)


def test_photographs_are_cropped_to_the_models_size(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    folders = {f"{split}/{name}": 3 for split in ("train", "val", "test") for name in ("person", "notperson")}
    dataset, recipe = open_data(makers.pictures(tmp_path / "vww", folders), DataOptions())
    assert recipe.name == "images"
    data = recipe.prepare(dataset, DataOptions(), (12, 12, 1))
    assert data.labels == ("notperson", "person")
    assert data.epoch(np.random.default_rng(1)).codes.shape == (6, 12, 12, 1)
    assert data.input_range == pytest.approx((0.0, 1.0))
    epoch = data.epoch(np.random.default_rng(1))
    assert epoch.shares is not None and np.allclose(epoch.shares.sum(axis=1), 1.0)
    assert data.resized is not None
    larger = data.resized(np.random.default_rng(1), (24, 24, 1))
    assert larger.shape == (6, 24, 24, 1)
    halved = larger.astype(float).reshape(6, 12, 2, 12, 2, 1).mean(axis=(2, 4))
    other = data.resized(np.random.default_rng(2), (24, 24, 1)).astype(float).reshape(6, 12, 2, 12, 2, 1)
    assert np.abs(halved - epoch.codes).mean() < 12 < np.abs(other.mean(axis=(2, 4)) - epoch.codes).mean()
    with pytest.raises(UsageError, match=r"\(12, 10, 3\)"):
        recipe.prepare(dataset, DataOptions(), (12, 10, 3))


@pytest.fixture
def machines(tmp_path: Path) -> Path:
    """Ten-second recordings of a machine, one of them with another note."""
    folder = tmp_path / "machine"
    sounds = {f"train/normal_{index}.wav": hum(500, 10.0, index) for index in range(4)}
    sounds |= {"test/normal_a.wav": hum(500, 10.0, 11), "test/anomaly_a.wav": hum(1500, 10.0, 12)}
    for name, samples in sounds.items():
        makers.write(folder / name, makers.wav_bytes(samples))
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
    from tinyml.data import LAYOUTS, records

    assert {layout.name for layout in LAYOUTS} - {records.LAYOUT} == set(layouts)
