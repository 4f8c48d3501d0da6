"""What every verb shares: the table, the exit codes, what is said where, and how fast the help comes."""

from __future__ import annotations

import errno
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from tests.support.shared import REPOSITORY
from tinyml import __version__, errors
from tinyml.cli import COMMANDS, cli, main, output

HEAVY = ("tensorflow", "keras", "numpy", "platformio", "rich", "jinja2", "ai_edge_litert", "unicorn")


def test_every_verb_of_the_table_exists() -> None:
    for verb, (target, summary) in COMMANDS.items():
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), verb
        assert command.help, f"{verb} has no help"
        assert summary and summary[0].islower() and not summary.endswith(".")


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from tinyml.cli import main\n"
        "assert main(['--help']) == 0\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('loaded:', loaded, file=sys.stderr)\n"
    )
    started = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    seconds = time.perf_counter() - started
    assert result.stderr == "loaded: []\n"
    assert all(verb in result.stdout for verb in COMMANDS)
    assert seconds < 1.0, "the goal is 0.3 s on an idle machine"


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_help_and_verbosity(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--quiet" in text
    assert "--verbose" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tinyml {__version__}\n"


def test_no_verb_prints_the_help_and_leaves_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: tinyml")


def test_an_unknown_verb_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["biuld"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: there is no command 'biuld'\n\nhint: did you mean build?\n"


def test_an_unknown_option_points_to_the_verbs_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--jsn"]) == 2
    assert "`tinyml boards --help` shows how it is used" in capsys.readouterr().err


def failing(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> int:
    def fail() -> None:
        raise problem

    monkeypatch.setattr(cli, "get_command", lambda ctx, name: click.Command(name, callback=fail))
    return main(["boards"])


@pytest.mark.parametrize(
    ("problem", "code", "message"),
    [
        (errors.UsageError("bad", hint="do so"), 2, "error: bad\n\nhint: do so\n"),
        (errors.DoesNotFitError("too big"), 3, "error: too big\n"),
        (errors.UnsupportedError("no such op"), 4, "error: no such op\n"),
        (errors.BuildError("failed"), 5, "error: failed\n"),
        (errors.BoardError("no port"), 6, "error: no port\n"),
        (errors.MismatchError("differs"), 7, "error: differs\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (PermissionError(errno.EACCES, "Permission denied", "out/x"), 2, "error: out/x: permission denied\n\nhint: "),
        (OSError(errno.EROFS, "Read-only file system", "x"), 2, "error: x: read-only file system\n\nhint: "),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 5, "error: x: no space left on device\n\nhint: "),
        (MemoryError(), 5, "error: this machine ran out of memory\n\nhint: "),
        (RuntimeError("oops"), 1, "error: a bug in tinyml: RuntimeError: oops\n\nhint: "),
    ],
)
def test_every_failure_is_one_message_and_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    problem: BaseException,
    code: int,
    message: str,
) -> None:
    monkeypatch.delenv("TINYML_DEBUG", raising=False)
    assert failing(monkeypatch, problem) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.lstrip("\n").startswith(message)
    assert "Traceback" not in captured.err


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TINYML_DEBUG", "1")
    assert failing(monkeypatch, RuntimeError("oops")) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m tinyml boards --json | head -c 1"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert result.stdout == "{"
    assert result.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_message() -> None:
    command = f"{sys.executable} -m tinyml boards > /dev/full"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert result.returncode == 5
    assert result.stderr.startswith("error: no space left on device\n\nhint: ")
    assert "Traceback" not in result.stderr


def test_no_stdout_is_no_error() -> None:
    command = f"{sys.executable} -m tinyml boards >&-"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert (result.returncode, result.stderr) == (0, "")


def test_quiet_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        output.configure(output.QUIET)
        output.note("a")
        output.configure(output.VERBOSE)
        output.note("b")
        output.detail("c")
    finally:
        output.configure(output.NORMAL)
    assert capsys.readouterr().err == "b\nc\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_TINYML_COMPLETE" in capsys.readouterr().out


def test_completion_completes_verbs() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tinyml"],
        env={"_TINYML_COMPLETE": "bash_complete", "COMP_WORDS": "tinyml bo", "COMP_CWORD": "1", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert result.stdout == "plain,boards\n"


def test_boards_json_has_the_public_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "nano33ble", "--json"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert (board["name"], board["core"], board["clock_hz"]) == ("nano33ble", "cortex-m4", 64_000_000)
    assert [(region["name"], region["available_bytes"]) for region in board["regions"]] == [
        ("FLASH", 983040),
        ("RAM", 262144),
    ]


def test_boards_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    assert main(["boards", "pico"]) == 0
    assert "boot ROM checks" in capsys.readouterr().out
