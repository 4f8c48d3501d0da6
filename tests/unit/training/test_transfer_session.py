"""``tinyml train --from``, ``--set`` and ``--board``, and ``quantize --qat``, through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.interruptions import InterruptAt
from tests.unit.training.test_session import project as project
from tinyml.cli import main

pytestmark = pytest.mark.train

ONE = ("--epochs", "1", "--batch-size", "16")
FIT = ("--epochs", "3", "--batch-size", "8", "--learning-rate", "0.03")


def trained(capsys: pytest.CaptureFixture[str], *arguments: str, fit: tuple[str, ...] = FIT) -> dict[str, object]:
    capsys.readouterr()
    assert main(["train", *arguments, "--data", "pictures", *fit, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_from_a_run_with_forgetting_and_qat_afterwards(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(capsys, "model.py", "--output", "first")
    for split in ("train", "val", "test"):
        for old, new in (("red", "warm"), ("blue", "cold")):
            shutil.copytree(project / "pictures" / split / old, project / "other" / split / new)
    told = ("--from", "first", "--release", "1", "--old-data", "pictures", "--output", "second")
    capsys.readouterr()
    assert main(["train", "--data", "other", *told, *FIT]) == 0
    captured = capsys.readouterr()
    assert "1 layers taken from tiny; new: say (the head, for other classes)" in captured.err.replace("model", "tiny")
    assert "old task: accuracy " in captured.out
    manifest = json.loads((project / "second" / "manifest.json").read_text())
    assert (manifest["transfer"]["taken"], list(manifest["transfer"]["new"])) == (["look"], ["say"])
    assert manifest["transfer"]["release"] == [1]
    assert manifest["forgetting"]["examples"] == 24
    assert manifest["forgetting"]["lost"] == manifest["forgetting"]["before"] - manifest["forgetting"]["after"]
    assert manifest["model"]["source"] == "source.keras"

    assert main(["quantize", "second", "--qat", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["int8"]["accuracy"] >= 0.5
    manifest = json.loads((project / "second" / "manifest.json").read_text())
    assert (manifest["status"], manifest["qat"]["epochs"]) == ("complete", 2)
    phase = json.loads((project / "second" / "qat" / "metrics.json").read_text())
    assert len(phase["history"]) == 2
    assert json.loads((project / "second" / "model.json").read_text())["qat"]["epochs"] == 2
    assert main(["quantize", "second", "--qat", "5"]) == 2
    assert "other options" in capsys.readouterr().err
    assert main(["quantize", "second/best.keras", "--qat", "2"]) == 2


def test_a_file_freezes_and_resumes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(capsys, "model.py", "--output", "first")
    whole = trained(capsys, "model.py", "--from", "first/best.keras", "--freeze", "look", "--output", "whole")
    assert whole["transfer"] is not None
    manifest = json.loads((project / "whole" / "manifest.json").read_text())
    (project / "first" / "best.keras").unlink()
    manifest["status"], manifest["options"]["epochs"] = "interrupted", 4
    (project / "whole" / "manifest.json").write_text(json.dumps(manifest))
    assert main(["train", "--resume", "whole"]) == 0
    assert len(json.loads((project / "whole" / "metrics.json").read_text())["history"]) == 4

    from tinyml.tflite.convert import load_keras

    source, after = load_keras(project / "whole" / "source.keras"), load_keras(project / "whole" / "best.keras")
    for one, two in zip(source.get_layer("look").get_weights(), after.get_layer("look").get_weights(), strict=True):
        assert (one == two).all()


def test_training_on_a_finished_run_resumes_to_the_same_weights(project: Path) -> None:
    from tinyml.training import session
    from tinyml.training.fit import InterruptedRunError
    from tinyml.training.qat import QatOptions
    from tinyml.training.quantise_runs import train_on
    from tinyml.training.runs import Run

    session.train(session.Request("model.py", Path("pictures"), Path("whole"), fit={"epochs": 1, "batch_size": 8}))
    shutil.copytree("whole", "cut")
    whole, cut = Run.open(Path("whole")), Run.open(Path("cut"))
    train_on(whole, QatOptions(2))
    with pytest.raises(InterruptedRunError):
        train_on(cut, QatOptions(2), None, InterruptAt())
    assert cut.manifest["status"] == "interrupted"
    train_on(cut, QatOptions(2))
    assert cut.manifest["status"] == whole.manifest["status"] == "complete"
    states = [Run.open(run.path / "qat").load_state() for run in (whole, cut)]
    assert states[0] is not None
    assert states[1] is not None
    for one, two in zip(states[0].variables, states[1].variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_size_of_a_catalogue_network_is_chosen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = trained(capsys, "digits", "--set", "filters=4,4,8", "--resolution", "16", "--output", "small", fit=ONE)
    assert found["model_options"] == {"filters": [4, 4, 8], "input_shape": [16, 16, 1]}
    manifest = json.loads((project / "small" / "manifest.json").read_text())
    assert manifest["model"]["options"] == found["model_options"]
    assert main(["train", "--data", "pictures", "--from", "small", "--set", "filters=8", "--output", "x"]) == 2
    assert "--set goes with a model's name" in capsys.readouterr().err
    sized = ("--board", "nano33ble", "--max-latency", "1.5ms", "--resolution", "16", "--output", "sized")
    found = trained(capsys, "digits", *sized, fit=ONE)
    scaled = found["scaled"]
    assert isinstance(scaled, dict)
    assert scaled["latency_ms"] <= 1.5
    assert scaled["options"]["classes"] == 2
    assert found["model_options"] == {key: value for key, value in scaled["options"].items() if key != "classes"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["model.py", "--from", "nowhere"], 2, "nothing trained at 'nowhere'"),
        (["model.py", "--freeze", "look"], 2, "--freeze goes with --from"),
        (["model.py", "--from", "kws_ds_cnn_s", "--release", "soon"], 2, "are no epochs"),
        (["model.py", "--from", "kws_ds_cnn_s"], 2, "no layer of ds_cnn fits tiny"),
        (["model.py", "--board", "pico"], 2, "not of a Python file"),
        (["resnet8", "--set", "colour=1"], 2, "has no option 'colour'"),
        (["digits", "--set", "filters=a,b"], 2, "digits_cnn can't be built with filters='a,b'"),
        (["mobilenet_v1", "--set", "width=no"], 2, "width=no of mobilenet_v1_025_96 is no number"),
        (["digits", "--set", "kernels="], 2, "its defaults are kernels=(3,)"),
        (["edgevit_64", "--set", "depths=1"], 2, "edgevit_64 can't be built with depths=(1,)"),
        (["autoencoder", "--board", "microbit", "--set", "width=384"], 3, "does not fit microbit"),
        (["--data", "pictures", "--resume", "run", "--board", "pico"], 2, "--resume"),
    ],
)
def test_what_cannot_be_done_leaves_no_run(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert main(["train", *arguments, "--data", "pictures", "--output", "run"]) == code
    assert message in capsys.readouterr().err
    assert not (project / "run").exists()
