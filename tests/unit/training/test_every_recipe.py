"""Every recipe on tiny data through the whole loop: damaged samples named, a full disk, Ctrl-C, resuming, int8."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.unit.data import makers
from tinyml.data import open_dataset
from tinyml.data.write_records import write_records
from tinyml.errors import UsageError
from tinyml.training import session
from tinyml.training.fit import InterruptedRunError
from tinyml.training.quantise_runs import quantise_run
from tinyml.training.recipes import RECIPES, DataOptions, anomaly
from tinyml.training.runs import Row, Run

pytestmark = [pytest.mark.train, pytest.mark.slow]

CLASSIFIER = """
import keras

def build_model(classes=2):
    inputs = keras.Input({shape})
    x = keras.layers.Conv2D(4, 3, strides=4, use_bias=False, name="look")(inputs)
    x = keras.layers.BatchNormalization(name="look_bn")(x)
    x = keras.layers.Flatten(name="flat")(keras.layers.ReLU(name="look_relu")(x))
    x = keras.layers.Dropout(0.2, name="drop")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="say")(x), name="tiny")
"""

AUTOENCODER = """
import keras

def build_model(classes=2):
    inputs = keras.Input((640,))
    x = keras.layers.Dense(4, activation="relu", name="squeeze")(inputs)
    return keras.Model(inputs, keras.layers.Dense(640, name="widen")(x), name="tiny")
"""


def damaged_records(source: Path, folder: Path) -> str:
    """The data set as records, one of which has a wrong bit; gives the sample's name."""
    pytest.importorskip("google_crc32c")
    write_records(open_dataset(source), folder, 2)
    shard = folder / "train-00001-of-00002.tfrecord"
    content = bytearray(shard.read_bytes())
    content[-20] ^= 1
    shard.write_bytes(content)
    return str(json.loads(shard.with_suffix(".index.json").read_text())["names"][-1])


def keywords(folder: Path) -> str:
    makers.speech_commands(folder, dict.fromkeys(("yes", "no", "bed"), (5, 2, 2)))
    makers.write(folder / "yes" / "bad_nohash_0.wav", makers.wav_bytes(makers.tone(1))[:30])
    return "yes/bad_nohash_0.wav"


def images(folder: Path) -> str:
    makers.pictures(folder, {f"{s}/{name}": n for s, n in (("train", 8), ("val", 3), ("test", 3)) for name in "ab"})
    makers.write(folder / "train" / "a" / "bad.png", makers.picture_bytes(1)[:60])
    return "train/a/bad.png"


def machines(folder: Path) -> str:
    for index, name in enumerate((*(f"train/normal_{n}" for n in range(5)), "test/normal_a", "test/anomaly_a")):
        makers.write(folder / f"{name}.wav", makers.wav_bytes(makers.tone(index, 160_000)))
    makers.write(folder / "test" / "normal_bad.wav", b"RIFF")
    return "test/normal_bad.wav"


TASKS: dict[str, tuple[Callable[[Path], str], str]] = {
    "keywords": (keywords, CLASSIFIER.format(shape=(49, 10, 1))),
    "images": (images, CLASSIFIER.format(shape=(16, 16, 3))),
    "cifar10": (
        lambda folder: damaged_records(makers.cifar10(folder.parent / "cifar", 40, 10), folder),
        CLASSIFIER.format(shape=(32, 32, 3)),
    ),
    "mnist": (
        lambda folder: damaged_records(makers.mnist(folder.parent / "digits", 40, 10), folder),
        CLASSIFIER.format(shape=(28, 28, 1)),
    ),
    "anomaly": (machines, AUTOENCODER),
}


@dataclass
class Watcher:
    """Notes what a run says, and does something at a batch."""

    place: tuple[int, int] = (0, 0)
    act: Callable[[], None] = lambda: None
    notes: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def batch(self, epoch: int, done: int, total: int) -> None:
        if (epoch, done) == self.place:
            self.act()

    def epoch(self, row: Row, best: bool) -> None:
        pass


@contextmanager
def small_files() -> Iterator[Callable[[], None]]:
    """Gives what makes the system refuse to write more than a kilobyte to any file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_there_is_a_task_for_every_recipe() -> None:
    assert set(TASKS) == {recipe.name for recipe in RECIPES}


@pytest.mark.parametrize("task", TASKS)
def test_the_whole_loop(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    monkeypatch.setattr(anomaly, "EPOCH_WINDOWS", 64)
    make, source = TASKS[task]
    damaged = make(tmp_path / "data")
    (tmp_path / "model.py").write_text(source)

    def request(run: str) -> session.Request:
        options = DataOptions(words=("yes", "no")) if task == "keywords" else DataOptions()
        return session.Request(
            str(tmp_path / "model.py"), tmp_path / "data", tmp_path / run, options, fit={"epochs": 3, "batch_size": 8}
        )

    watcher = Watcher()
    whole = session.train(request("whole"), watcher)
    assert whole.task == task and whole.state.epoch == 3
    told = [note for note in watcher.notes if "damaged" in note]
    assert len(told) == 1 and told[0].startswith("1 damaged") and damaged in told[0]

    run = Run(tmp_path / "cut")
    with small_files() as fill, pytest.raises(UsageError, match="File too large") as caught:
        session.train(request("cut"), Watcher((2, 1), fill))
    assert caught.value.hint == f"free some space, then go on: tinyml train --resume {run.path}"
    kept = run.load_state()
    assert kept is not None and kept.epoch == 1 and run.best.stat().st_size > 1_000
    assert not [path.name for path in run.path.iterdir() if path.name.startswith(".")]

    with pytest.raises(InterruptedRunError) as interruption:
        session.resume(run.path, Watcher((3, 1), lambda: signal.raise_signal(signal.SIGINT)))
    assert interruption.value.epochs == 2
    resumed = session.resume(run.path)
    assert resumed.state.best_epoch == whole.state.best_epoch
    for one, two in zip(whole.state.variables, resumed.state.variables, strict=True):
        np.testing.assert_array_equal(one, two)

    quantised, target = quantise_run(run.path)
    assert target.stat().st_size == json.loads(target.with_suffix(".json").read_text())["bytes"]
    assert quantised.int8_scores.examples == quantised.float_scores.examples > 0
