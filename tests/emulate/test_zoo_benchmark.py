"""The zoo's benchmark on two small rows and made-up data: trained, measured, kept, and not done twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench import zoo
from tests.bench.zoo_rows import CLASSES, PICTURES, Settings, contest_of, options_of, read_rows
from tests.bench.zoo_training import batches, learning_rate, training_data
from tests.support.shared import require_module
from tests.support.trivial_network import require_toolchain
from tinyml.models.catalog import Entry, find_entry
from tinyml.training.examples import Examples, TrainingData

SETTINGS = Settings(examples=200, steps=60, batch_size=16, warmup_steps=5, learning_rate=5e-3, test_examples=50)


def blocks(entry: Entry, settings: Settings) -> TrainingData:
    """Noise with a bright block whose place is the class."""
    shape, classes = options_of(entry)["input_shape"], CLASSES[contest_of(entry)]

    def drawn(count: int, seed: int) -> Examples:
        source = np.random.default_rng(seed)
        labels = source.integers(classes, size=count)
        codes = source.integers(-128, 0, (count, *shape))
        height = shape[0] // classes
        for one, label in zip(codes, labels, strict=True):
            one[label * height : (label + 1) * height] = 127
        return Examples(codes.astype(np.int8), labels)

    labels = tuple(str(number) for number in range(classes))
    return training_data(labels, drawn(settings.examples, 1), drawn(settings.test_examples, 2), 1 / 255, -128)


@pytest.mark.slow
@pytest.mark.train
def test_rows_are_trained_measured_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_module("unicorn")
    require_toolchain("gcc")
    made: list[str] = []

    def load(entry: Entry, settings: Settings) -> TrainingData:
        made.append(entry.name)
        return blocks(entry, settings)

    monkeypatch.setattr(zoo, "load_data", load)
    entries = [find_entry("digits_cnn"), find_entry("tc_resnet8_49x10")]
    places: dict[str, Any] = {"results": tmp_path / "zoo.json", "networks": tmp_path / "networks"}
    assert zoo.run(entries, SETTINGS, train_only=True, **places) == []
    assert [row.measured for row in read_rows(places["results"]).values()] == [None, None]
    monkeypatch.setattr(zoo, "commit_now", lambda: "first")
    assert zoo.run(entries, SETTINGS, **places) == []
    rows = read_rows(places["results"])
    assert list(rows) == ["tc_resnet8_49x10", "digits_cnn"]
    assert made == ["digits_cnn", "tc_resnet8_49x10"]
    picture = rows["digits_cnn"]
    assert (picture.contest, picture.input_shape, picture.test_examples) == (PICTURES, (28, 28, 1), 50)
    assert picture.int8_accuracy > 0.3  # one in ten by chance
    assert abs(picture.float_accuracy - picture.int8_accuracy) < 0.1
    assert picture.measured is not None
    assert (picture.measured.board, picture.measured.commit) == ("nano33ble", "first")
    assert 100_000 < picture.measured.instructions < 1_000_000
    assert 5_000 < picture.measured.flash_bytes < 50_000
    assert 1_000 < picture.measured.sram_bytes < 20_000
    monkeypatch.setattr(zoo, "measure", lambda name, content, commit: replace(picture.measured, commit=commit))
    assert zoo.run(entries, SETTINGS, **places) == []
    assert read_rows(places["results"]) == rows
    (tmp_path / "networks" / "digits_cnn.tflite").write_bytes(b"another")
    monkeypatch.setattr(zoo, "commit_now", lambda: "second")
    monkeypatch.setattr(zoo, "train_row", lambda entry, settings, networks: picture)
    assert zoo.run(entries[:1], SETTINGS, **places) == []
    again = read_rows(places["results"])["digits_cnn"].measured
    assert again is not None and again.commit == "second"


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    rates = [learning_rate(SETTINGS, step) for step in range(SETTINGS.steps + 1)]
    assert max(rates) == rates[SETTINGS.warmup_steps] == SETTINGS.learning_rate
    assert rates[: SETTINGS.warmup_steps] == sorted(rates[: SETTINGS.warmup_steps])
    assert rates[SETTINGS.warmup_steps :] == sorted(rates[SETTINGS.warmup_steps :], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_batches_are_whole_passes_and_always_the_same() -> None:
    rows = np.concatenate(list(batches(96, SETTINGS)))
    assert len(rows) == SETTINGS.steps * SETTINGS.batch_size
    for start in range(0, len(rows), 96):
        np.testing.assert_array_equal(np.sort(rows[start : start + 96]), np.arange(96))
    np.testing.assert_array_equal(rows, np.concatenate(list(batches(96, SETTINGS))))
    assert not np.array_equal(rows[:96], rows[96:192])
