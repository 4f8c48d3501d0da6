"""``tinyml.toml`` and ``tinyml new``."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.support.shared import require_module
from tinyml.cli import main
from tinyml.errors import UsageError
from tinyml.settings import Settings, chosen_board, chosen_data, chosen_model, load_settings


def test_no_file_no_settings(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()


def test_a_new_project_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "some" / "project"
    assert main(["new", str(project), "--board", "pico", "--quiet"]) == 0
    assert sorted(path.name for path in project.iterdir()) == [".gitignore", "README.md", "model.py", "tinyml.toml"]
    expected = Settings(board="pico", model="model.py", data="data", sram_bytes=135168, flash_bytes=1023 << 10)
    assert load_settings(project) == expected
    functions = [n.name for n in ast.parse((project / "model.py").read_text()).body if isinstance(n, ast.FunctionDef)]
    assert functions == ["build_model"]
    assert "$" not in (project / "README.md").read_text()
    monkeypatch.chdir(project)
    assert (chosen_board(None), chosen_model(None), chosen_data(None)) == ("pico", "model.py", Path("data"))
    assert chosen_board("microbit") == "microbit"


@pytest.mark.slow
@pytest.mark.train
def test_a_new_project_fits_its_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_module("tensorflow")
    assert main(["new", str(tmp_path / "p"), "--quiet"]) == 0
    monkeypatch.chdir(tmp_path / "p")
    assert main(["check", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["board"], result["fits"], result["model"]) == ("nano33ble", True, "model")


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["new", str(tmp_path)]) == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_board_leaves_nothing_behind(tmp_path: Path) -> None:
    assert main(["new", str(tmp_path / "p"), "--board", "pic"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["new", str(tmp_path / "file" / "p")]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bord = 'pico'", "bord: is not a known key"),
        ("board = 3", "board: must be a string, not 3"),
        ("[budgets]\nsram = 'much'", "budgets.sram: 'much' is not a size"),
        ("[budgets]\nram = 1", "budgets.ram: is not a known key"),
        ("budgets = 1", "budgets: must be a table, not 1"),
        ("board = ", "is not valid TOML"),
    ],
)
def test_a_bad_settings_file_is_named_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tinyml.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_settings(tmp_path)
    assert str(path) in caught.value.message
    assert message in caught.value.message


def test_what_nobody_named_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no board was given") as caught:
        chosen_board(None)
    assert caught.value.hint == "give --board NAME (`tinyml boards` lists them), or set `board` in tinyml.toml"
