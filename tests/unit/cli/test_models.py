"""``tinyml models``: table, one model, JSON, unknown names, and no TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinyml.cli import main
from tinyml.models.catalog import CATALOG

KEYS = {
    "name",
    "family",
    "task",
    "paper",
    "input_shape",
    "input_shapes",
    "classes",
    "options",
    "parameters",
    "macs",
    "weights_bytes",
    "arena_bytes",
    "instructions",
    "boards",
    "boards_optimize_size",
    "published",
    "trained",
}


def test_the_table_has_a_row_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    assert [name for name in names if name in {entry.name for entry in CATALOG}] == [entry.name for entry in CATALOG]


def test_json_is_one_object_with_the_documented_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert [row["name"] for row in rows] == [entry.name for entry in CATALOG]
    assert all(set(row) == KEYS for row in rows)


def test_a_familys_name_shows_its_first_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "mobilenet_v1", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert (row["name"], row["macs"], row["classes"]) == ("mobilenet_v1_025_96", 7_489_664, 2)


def test_trained_models_are_listed_with_their_scores(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "kws_ds_cnn_s", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (trained,) = printed["trained"]
    assert (trained["name"], trained["model"], trained["metric"]) == ("kws_ds_cnn_s", "ds_cnn", "accuracy")
    assert 0.8 < trained["int8"] <= 1
    assert printed["models"][0]["trained"] == ["kws_ds_cnn_s"]
    assert main(["models", "kws_ds_cnn_s"]) == 0
    words = capsys.readouterr().out
    assert "_unknown_" in words
    assert "kws_ds_cnn_s.md" in words.replace("\n", "").replace(" ", "")


def test_one_model_in_words_names_paper_boards_and_relatives(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "mcunet-in3"]) == 0
    out = capsys.readouterr().out
    assert "arXiv:2007.10319" in out
    assert "81,785,520" in out
    assert "mcunet_in4" in out


def test_an_unknown_name_leaves_with_2_and_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "mcunet_in9"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "mcunet_in" in captured.err.split("hint:")[1]


def test_listing_imports_no_tensorflow() -> None:
    script = (
        "import sys; from tinyml.cli import main; code = main(['models']);"
        "sys.exit(code or ('tensorflow' in sys.modules) or ('keras' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_a_picture_needs_one_network_and_a_known_kind(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "--plot", str(tmp_path / "a.svg")]) == 2
    assert main(["models", "tinyyolo", "--plot", str(tmp_path / "a.txt")]) == 2
    assert list(tmp_path.iterdir()) == []
    assert ".svg" in capsys.readouterr().err


@pytest.mark.train
def test_a_network_is_drawn(tmp_path: Path) -> None:
    from tinyml.models.catalog import build_model
    from tinyml.models.drawing import boxes_of

    path = tmp_path / "network.svg"
    assert main(["models", "resnet8", "--plot", str(path)]) == 0
    first = path.read_bytes()
    assert first.startswith(b"<?xml")
    assert main(["models", "resnet8", "--plot", str(path)]) == 0
    assert path.read_bytes() == first
    boxes = boxes_of(build_model("resnet8", batch_size=1))
    labels = [box.label for box in boxes]
    assert labels[1] == "Conv2D 3×3 + relu\n32×32×16"
    joins = [box for box in boxes if box.kind == "Add"]
    assert [len(box.sources) for box in joins] == [2, 2, 2]
    assert all(boxes[source].depth < box.depth for box in boxes for source in box.sources)
    assert labels[-1].startswith("Dense + softmax")
