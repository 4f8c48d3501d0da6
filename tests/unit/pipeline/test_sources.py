"""What may be named as a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyml.errors import UsageError
from tinyml.sources import load_source


def test_a_file_with_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"abc")
    (tmp_path / "m.json").write_text(json.dumps({"labels": ["a", "b"]}))
    source = load_source(tmp_path / "m.tflite")
    assert (source.name, source.content, source.labels) == ("m", b"abc", ("a", "b"))
    assert source.calibrated


def test_a_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no model\.tflite"):
        load_source(tmp_path)
    (tmp_path / "model.tflite").write_bytes(b"abc")
    assert load_source(tmp_path).name == tmp_path.name


@pytest.mark.parametrize("name", ["nothing.tflite", "nothing.keras", "some/where", "no_such_model"])
def test_what_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        load_source(name)


def test_empty_file_and_broken_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(UsageError, match="0 bytes"):
        load_source(tmp_path / "m.tflite")
    (tmp_path / "m.tflite").write_bytes(b"x")
    (tmp_path / "m.json").write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        load_source(tmp_path / "m.tflite")


def test_not_a_model() -> None:
    with pytest.raises(UsageError, match="cannot take a int"):
        load_source(3)
