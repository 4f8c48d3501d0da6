"""What a user can get wrong: each gives its exit code, one message with a hint, no traceback, no half-written file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.tflite_builder import Builder
from tinyml.cli import main


def small() -> bytes:
    builder = Builder()
    weights = np.ones((4, 3, 3, 2), np.int8)
    return builder.build([builder.conv_2d(builder.input((1, 6, 6, 2)), weights)])


def float_model() -> bytes:
    builder = Builder()
    x = builder.input((1, 4), dtype="float32", scale=None)
    y = builder.tensor((1, 4), dtype="float32", scale=None)
    builder.op("LOGISTIC", [x], [y])
    return builder.build([y])


def unknown_op() -> bytes:
    builder = Builder()
    x = builder.input((1, 4))
    y = builder.tensor((1, 4))
    builder.op("CUSTOM:warp", [x], [y])
    return builder.build([y])


def dynamic() -> bytes:
    builder = Builder()
    x = builder.input((1, 0, 4))
    return builder.build([builder.tanh(x)])


def huge() -> bytes:
    builder = Builder()
    x = builder.input((1, 512, 512, 8))
    return builder.build([builder.conv_2d(x, np.ones((8, 3, 3, 8), np.int8))])


@pytest.fixture
def failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command line in an empty folder and gives its exit code and what it said on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYML_DEBUG", raising=False)

    def run(*arguments: str, **files: bytes) -> tuple[int, str]:
        for name, content in files.items():
            (tmp_path / f"{name}.tflite").write_bytes(content)
        before = {path.name for path in tmp_path.iterdir()}
        code = main(list(arguments))
        said = capsys.readouterr().err
        assert code != 0
        assert said.count("error: ") == 1
        assert "Traceback" not in said
        assert "a bug in tinyml" not in said
        assert {path.name for path in tmp_path.iterdir()} == before
        return code, said

    return run


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 2),
        (b"no model at all, but longer than a header", 4),
        (small()[:200], 4),
        (small()[:-40], 4),
        (float_model(), 4),
        (unknown_op(), 4),
        (dynamic(), 4),
        (huge(), 3),
    ],
    ids=["empty", "text", "truncated", "cut short", "float", "unknown op", "dynamic", "huge"],
)
@pytest.mark.parametrize("verb", ["check", "build"])
def test_a_bad_model(verb: str, content: bytes, code: int, failing: Callable[..., tuple[int, str]]) -> None:
    assert failing(verb, "bad.tflite", "--board", "microbit", bad=content)[0] == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "no model was given"),
        (["check", "good.tflite"], "no board was given"),
        (["check", "good.tflite", "--board", "nano"], "unknown board 'nano'"),
        (["check", "good.tflite", "--board", "nowhere.toml"], "there is no board file nowhere.toml"),
        (["check", "missing.tflite", "--board", "pico"], "there is no model file missing.tflite"),
        (["check", "no_such_net", "--board", "pico"], "no_such_net"),
        (["check", "good.tflite", "--board", "pico", "--sram", "lots"], "'lots' is not a size"),
        (["build", "good.tflite", "--board", "pico", "--toolchain", "armcc"], "invalid value for '--toolchain'"),
    ],
)
def test_a_bad_command_line(arguments: list[str], message: str, failing: Callable[..., tuple[int, str]]) -> None:
    code, said = failing(*arguments, good=small())
    assert code == 2
    assert message in said
    assert "\nhint: " in said


def test_a_budget_of_ones_own(failing: Callable[..., tuple[int, str]]) -> None:
    code, said = failing("check", "good.tflite", "--board", "pico", "--sram", "100", good=small())
    assert code == 3
    assert "100" in said


def test_a_folder_that_cannot_be_written(tmp_path: Path, failing: Callable[..., tuple[int, str]]) -> None:
    (tmp_path / "file").write_text("")
    code, said = failing("build", "good.tflite", "--board", "pico", "--output", "file/project", good=small())
    assert code == 2
    assert "file/project" in said


def test_a_broken_settings_file(tmp_path: Path, failing: Callable[..., tuple[int, str]]) -> None:
    (tmp_path / "tinyml.toml").write_text("board = 7\n")
    code, said = failing("check", "good.tflite", good=small())
    assert code == 2
    assert "tinyml.toml: board: must be a string, not 7" in said
