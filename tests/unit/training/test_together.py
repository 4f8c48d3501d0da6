"""Two workers, or two replicas in one process, train what one trains; the chief alone writes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import REPOSITORY
from tests.unit.data.makers import pictures
from tinyml.cli import main
from tinyml.errors import UsageError
from tinyml.training.distribute import Place, distributed, read_cluster

pytestmark = [pytest.mark.train, pytest.mark.slow]

MODEL = """
import keras

def build_model(classes=2):
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, use_bias=False, name="look")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.8, name="look_bn")(x)
    x = keras.layers.ReLU(name="look_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="say")(x), name="tiny")
"""

MIRRORED = """
import sys
from tinyml.tflite.quiet import import_tensorflow
tf = import_tensorflow()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tinyml.cli import main
sys.exit(main(["train", *sys.argv[1:], "--distribute", "mirrored"]))
"""

ARGUMENTS = ["model.py", "--data", "pictures", "--epochs", "3", "--batch-size", "8", "--learning-rate", "0.01"]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def start(command: list[str], folder: Path, **variables: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)} | variables
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def variables_of(run: Path) -> list[np.ndarray]:
    with np.load(run / "last.npz") as saved:
        return [saved[name] for name in sorted(saved.files) if name != "state.json"]


def test_two_workers_and_two_replicas_train_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {f"{split}/{name}": count for split, count in (("train", 20), ("val", 4), ("test", 4)) for name in "ab"}
    pictures(tmp_path / "pictures", folders)
    (tmp_path / "model.py").write_text(MODEL)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for index in range(2):
        told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        command = ["-m", "tinyml", "train", *ARGUMENTS, "--output", "workers"]
        started.append(start(command, tmp_path, TF_CONFIG=json.dumps(told)))
    started.append(start(["-c", MIRRORED, *ARGUMENTS, "--output", "mirrored"], tmp_path))
    try:
        monkeypatch.chdir(tmp_path)
        assert main(["train", *ARGUMENTS, "--output", "one"]) == 0
        for process in started:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
    finally:
        for process in started:
            process.kill()
    one = variables_of(tmp_path / "one")
    for run, replicas, workers in (("workers", 2, 2), ("mirrored", 2, 1)):
        for mine, theirs in zip(one, variables_of(tmp_path / run), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
        place = json.loads((tmp_path / run / "manifest.json").read_text())["place"]
        assert place | {"devices": []} == {"distribute": run, "workers": workers, "replicas": replicas, "devices": []}
        assert len(place["devices"]) == 1
    losses = [
        [row["train_loss"] for row in json.loads((tmp_path / run / "metrics.json").read_text())["history"]]
        for run in ("one", "workers", "mirrored")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[2] == pytest.approx(losses[0], rel=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mirrored", "model.py", "one", "pictures", "workers"]


@pytest.mark.parametrize(
    ("text", "seat"),
    [
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}', (1, 2)),
        ('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 0}}', (0, 2)),
        ('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}', (1, 2)),
    ],
)
def test_the_seat_that_tf_config_gives(text: str, seat: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    assert read_cluster() == seat


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"cluster": {}}', '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}']
)
def test_a_damaged_tf_config_is_a_usage_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match="TF_CONFIG"):
        read_cluster()


def test_what_cannot_be_distributed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UsageError, match="no TF_CONFIG"), distributed("workers"):
        pass
    with pytest.raises(UsageError, match=r"only .*CPU:0 to mirror on"), distributed("mirrored"):
        pass
    with distributed(None) as (kind, place):
        assert (kind, place.replicas, place.chief) == ("none", 1, True)


def test_shards_are_a_workers_own_where_there_are_enough(tmp_path: Path) -> None:
    pytest.importorskip("google_crc32c")
    from tinyml.data import open_dataset
    from tinyml.data.records import Worker
    from tinyml.data.write_records import write_records

    folder = pictures(tmp_path / "set", {f"{split}/{name}": 3 for split in ("train", "val", "test") for name in "ab"})
    write_records(open_dataset(folder), tmp_path / "records", 3)
    assert Place(None, 2, 2, 1).own_shards(tmp_path / "records") == Worker(1, 2)
    assert Place(None, 4, 4, 1).own_shards(tmp_path / "records") is None
    assert Place(None, 2, 2, 1).own_shards(folder) is None
    assert Place(None, 2, 1, 0).own_shards(tmp_path / "records") is None
