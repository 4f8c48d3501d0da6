"""TensorBoard logs: what is read back from the event files is what the run says, also after it was resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_module
from tests.unit.training.conftest import build_network
from tinyml.training.evaluate import Scores, draw_confusion
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions, fit, seed_everything
from tinyml.training.runs import Run
from tinyml.training.tensorboard import write_test

pytestmark = pytest.mark.train


def events(folder: Path) -> list[tuple[int, str, str, Any]]:
    """Step, tag, plugin and value of every entry of a folder's event files, oldest file first."""
    import tensorflow as tf
    from tensorflow.core.util import event_pb2

    found = []
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(file)):
            event = event_pb2.Event.FromString(record.numpy())
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                found.append((event.step, value.tag, plugin, tf.make_ndarray(value.tensor)))
    return found


def test_the_logs_say_what_the_history_says(data: TrainingData, tmp_path: Path) -> None:
    require_module("tensorflow")
    options = FitOptions(epochs=2, batch_size=16, patience=9, seed=3)
    run = Run.create(tmp_path / "run", {})
    for epochs in (2, 3):
        seed_everything(3)
        state = fit(build_network(), data, replace(options, epochs=epochs), run)
    train, validation = (events(run.path / "logs" / split) for split in ("train", "validation"))
    assert {plugin for _, _, plugin, _ in train + validation} == {"scalars"}
    for split, entries in (("train", train), ("validation", validation)):
        for figure in ("loss", "accuracy"):
            logged = {step: float(value) for step, tag, _, value in entries if tag == f"epoch_{figure}"}
            assert logged == pytest.approx({row["epoch"]: row[f"{split}_{figure}"] for row in state.history})
    rates = [float(value) for _, tag, _, value in train if tag == "epoch_learning_rate"]
    assert rates == pytest.approx([row["learning_rate"] for row in state.history])

    silent = Run.create(tmp_path / "silent", {})
    fit(build_network(), data, replace(options, epochs=1, tensorboard=False), silent)
    assert not (silent.path / "logs").exists()


def test_the_confusion_matrix_is_there_as_a_picture(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    scores = Scores("accuracy", 0.75, 0.5, 4, ("a", "b"), ((2, 0), (1, 1)))
    picture = tmp_path / "confusion.png"
    draw_confusion(picture, scores.confusion, scores.labels, "title")
    write_test(tmp_path, scores, 7, picture)
    found = {tag: (step, plugin, value) for step, tag, plugin, value in events(tmp_path / "logs" / "test")}
    assert found["epoch_accuracy"][0] == 7
    assert float(found["epoch_accuracy"][2]) == 0.75
    step, plugin, (width, height, content) = found["confusion"]
    assert (step, plugin) == (7, "images")
    assert content == picture.read_bytes()
    assert np.asarray(tf.io.decode_png(content)).shape[:2] == (int(height), int(width))
