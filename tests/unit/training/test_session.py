"""``tinyml train`` and ``tinyml quantize`` end to end on pictures that the test draws; Ctrl-C and bad input, too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.interruptions import InterruptAt
from tests.support.shared import REPOSITORY
from tinyml.cli import main

pytestmark = pytest.mark.train

MODEL = """
import keras

def build_model(classes=2):
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="look")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="say")(x), name="tiny")
"""

RECURRENT = """
import keras

def build_model(classes=2):
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.LSTM(4)(keras.layers.Reshape((12, 36))(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x), name="recurrent")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``model.py`` and ``pictures/{train,val,test}/{red,blue}``, the working directory of the test."""
    image = pytest.importorskip("PIL.Image")
    source = np.random.default_rng(1)
    for split, count in (("train", 24), ("val", 8), ("test", 12)):
        for name, channel in (("red", 0), ("blue", 2)):
            folder = tmp_path / "pictures" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = source.integers(0, 90, (16, 16, 3)).astype(np.uint8)
                pixels[..., channel] += 120
                image.fromarray(pixels).save(folder / f"{index}.png")
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_then_quantise(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--data",
        "pictures",
        "--output",
        "run",
        "--epochs",
        "12",
        "--batch-size",
        "8",
        "--learning-rate",
        "0.03",
    ]
    assert main(["train", "model.py", *arguments, "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["labels"] == ["blue", "red"]
    assert trained["epochs"] == 12
    assert trained["test"]["accuracy"] >= 0.9
    names = {path.name for path in (project / "run").iterdir()}
    assert names >= {
        "manifest.json",
        "labels.json",
        "frontend.json",
        "metrics.csv",
        "metrics.json",
        "best.keras",
        "last.npz",
    }
    assert names >= {"confusion.json", "confusion.png", "model.py"}
    manifest = json.loads((project / "run" / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["data"]["counts"]["train"] == {"blue": 24, "red": 24}

    assert main(["quantize", "run", "--json"]) == 0
    quantised = json.loads(capsys.readouterr().out)
    assert quantised["float"]["accuracy"] == trained["test"]["accuracy"]
    assert quantised["int8"]["accuracy"] >= 0.85
    assert quantised["input"] == {"scale": pytest.approx(1 / 255), "zero_point": -128}
    assert quantised["bytes"] == (project / "run" / "model.tflite").stat().st_size
    assert json.loads((project / "run" / "model.json").read_text())["labels"] == ["blue", "red"]

    assert main(["evaluate", "run", "--json"]) == 0, "a run knows its data"
    assert json.loads(capsys.readouterr().out)["accuracy"] == quantised["int8"]["accuracy"]

    assert main(["quantize", "run/best.keras", "--data", "pictures", "--output", "other/net.tflite"]) == 0
    assert (project / "other" / "net.tflite").is_file()
    assert (project / "other" / "net.json").is_file()

    assert main(["train", "--resume", "run"]) == 2
    assert "complete" in capsys.readouterr().err


def test_ctrl_c_leaves_a_run_that_resumes(project: Path) -> None:
    command = [sys.executable, "-m", "tinyml", "train", "model.py", "--data", "pictures", "--output", "run"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [*command, "--epochs", "100000", "--patience", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        deadline = time.monotonic() + 120
        while not (project / "run" / "last.npz").is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert output == ""
    assert "Traceback" not in errors
    assert "hint: go on with: tinyml train --resume run" in errors
    assert not [path for path in (project / "run").iterdir() if path.name.startswith(".")]
    manifest = json.loads((project / "run" / "manifest.json").read_text())
    assert manifest["status"] == "interrupted"
    done = len(json.loads((project / "run" / "metrics.json").read_text())["history"])
    assert done >= 1

    manifest["options"]["epochs"] = done + 1
    (project / "run" / "manifest.json").write_text(json.dumps(manifest))
    assert main(["train", "--resume", "run"]) == 0
    assert len(json.loads((project / "run" / "metrics.json").read_text())["history"]) == done + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "model.py", "--data", "nowhere"], "nowhere"),
        (["train", "model.py"], "no data was given"),
        (["train", "ds_cnn", "--data", "pictures"], r"inputs of (49, 10, 1)"),
        (["train", "no_such_model", "--data", "pictures"], "no model named 'no_such_model'"),
        (["train", "missing.py", "--data", "pictures"], "no file missing.py"),
        (["train", "model.py", "--data", "pictures", "--output", "model.py/run"], "cannot write"),
        (["train", "model.py", "--data", "pictures", "--output", "pictures"], "not empty"),
        (["train", "model.py", "--data", "pictures", "--resume", "run"], "--resume"),
        (["train", "--resume", "pictures"], "no run folder"),
        (["quantize", "pictures"], "no run folder"),
        (["quantize", "missing.keras", "--data", "pictures"], "no run and no model file missing.keras"),
        (["quantize", "missing"], "no run and no model file missing"),
        (["quantize", "model.py"], "model.py is no run and no .keras file"),
    ],
)
def test_bad_input_is_a_usage_error(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "hint: " in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "no function build_model"),
        ("def build_model(): return 3", "no built keras.Model"),
        ("def build_model(classes, *, input_shape=(9, 9, 3)): pass", "hint: give classes a default"),
        ("def build_model(): raise ValueError('mine')", "ValueError: mine"),
        ("import no_such_module_at_all", "fails on import"),
        (MODEL.replace("classes=2", "").replace("Dense(classes", "Dense(5"), "5 outputs, the data 2 classes"),
    ],
)
def test_bad_model_file_is_a_usage_error(
    project: Path, capsys: pytest.CaptureFixture[str], source: str, message: str
) -> None:
    (project / "model.py").write_text(source)
    assert main(["train", "model.py", "--data", "pictures", "--output", "run", "--epochs", "1"]) == 2
    assert message in capsys.readouterr().err
    assert not (project / "run").exists()


def test_data_that_changed_is_noticed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "model.py", "--data", "pictures", "--output", "run", "--epochs", "1"]) == 0
    (project / "pictures" / "test" / "red" / "0.png").unlink()
    assert main(["quantize", "run"]) == 2
    assert "has changed" in capsys.readouterr().err
    assert not (project / "run" / "model.tflite").exists()


def test_training_on_quantised(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", "pictures", "--epochs", "4", "--batch-size", "8", "--learning-rate", "0.03"]
    assert main(["train", "model.py", *arguments, "--output", "run", "--qat", "2", "--qat-ranges", "learned"]) == 0
    phase = json.loads((project / "run" / "qat" / "manifest.json").read_text())
    assert (phase["status"], phase["qat"]["epochs"]) == ("complete", 2)
    assert len(json.loads((project / "run" / "qat" / "metrics.json").read_text())["history"]) == 2
    capsys.readouterr()
    assert main(["quantize", "run", "--json"]) == 0
    quantised = json.loads(capsys.readouterr().out)
    assert quantised["int8"]["accuracy"] >= quantised["float"]["accuracy"] - 0.1
    assert json.loads((project / "run" / "model.json").read_text())["qat"]["ranges"] == "learned"

    from tinyml.compression.qat import load_prepared, ranges_of

    model = load_prepared(project / "run" / "qat" / "best.keras")
    trained = {np.float32((float(high) - float(low)) / 255) for low, high in (r.limits() for r in ranges_of(model))}
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=str(project / "run" / "model.tflite")).get_tensor_details()
    assert trained <= {np.float32(tensor["quantization"][0]) for tensor in details}


def test_quantised_training_resumes_to_the_same_weights(project: Path) -> None:
    from tinyml.training import session
    from tinyml.training.fit import InterruptedRunError
    from tinyml.training.qat import QatOptions
    from tinyml.training.runs import Run

    def request(name: str) -> session.Request:
        fit = {"epochs": 2, "batch_size": 8}
        return session.Request("model.py", Path("pictures"), Path(name), fit=fit, qat=QatOptions(3))

    session.train(request("whole"))
    with pytest.raises(InterruptedRunError):
        session.train(request("cut"), InterruptAt(phase=2))
    assert Run.open(Path("cut")).manifest["status"] == "interrupted"
    session.resume(Path("cut"))
    whole, cut = (Run.open(Path(name) / "qat").load_state() for name in ("whole", "cut"))
    assert whole is not None
    assert cut is not None
    for one, two in zip(whole.variables, cut.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_training_with_a_teacher(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "model.py", "--data", "pictures", "--epochs", "2", "--batch-size", "8"]
    assert main([*arguments, "--output", "first"]) == 0
    taught = ["--teacher", "first", "--temperature", "2", "--alpha", "0.5", "--features", "look=look"]
    assert main([*arguments, "--output", "second", *taught, "--generations", "2", "--qat", "1"]) == 0
    phase = json.loads((project / "second" / "qat" / "metrics.json").read_text())
    assert 0 < phase["history"][0]["train_accuracy"] <= 1, "the quantised network goes on to learn from the float one"
    told = json.loads((project / "second" / "manifest.json").read_text())
    assert told["status"] == "complete"
    assert (told["distill"]["temperature"], told["distill"]["features"]) == (2.0, [["look", "look"]])
    assert (project / "second" / "generation-2" / "best.keras").is_file()
    capsys.readouterr()
    assert main([*arguments, "--output", "third", "--teacher", "first", "--alpha", "2"]) == 2
    assert "alpha is 2.0" in capsys.readouterr().err
    assert main([*arguments, "--output", "third", "--teacher", "first", "--features", "look"]) == 2
    assert main([*arguments, "--output", "third", "--teacher", "first", "--features", "look=absent"]) == 2
    assert "teacher" in capsys.readouterr().err
    (project / "recurrent.py").write_text(RECURRENT)
    assert main(["train", "recurrent.py", *arguments[2:], "--output", "third", "--qat", "1"]) == 4
    assert "LSTM" in capsys.readouterr().err
    assert not (project / "third").exists(), "the corrected command finds its folder free"


def test_calibration_is_chosen_by_loss_and_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", "pictures", "--epochs", "3", "--batch-size", "8", "--output", "run"]
    assert main(["train", "model.py", *arguments]) == 0
    capsys.readouterr()
    assert main(["quantize", "run", "--calibration", "best", "--report", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    losses = [tried["validation_loss"] for tried in found["calibration"]]
    assert len(losses) == 12
    assert losses == sorted(losses)
    assert [(error["layer"], error["kind"]) for error in found["report"]][1] == ("look", "kernel")
    assert all(error["alone_db"] > 10 for error in found["report"])
    assert json.loads((project / "run" / "model.json").read_text())["calibration"] == found["calibration"][0]
    assert main(["quantize", "run", "--report"]) == 0
    assert "hurts" in capsys.readouterr().out
