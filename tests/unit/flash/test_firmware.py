"""Which firmware is meant, and that a failed build is never flashed; the verb from the command line."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.elf_writer import write_firmware
from tests.unit.flash.bench import make_bench
from tinyml.cli import main, output
from tinyml.errors import BoardError, UsageError
from tinyml.flash import upload
from tinyml.flash.firmware import find_firmware
from tinyml.flash.ports import UsbDevice


def make_build(folder: Path, board: str = "nano33ble", app: str = "benchmark", **changes: Any) -> Path:
    """A project as `tinyml build` leaves it."""
    project = folder / "build" / f"{board}-{app}"
    elf = project / ".pio" / "build" / board / "firmware.elf"
    write_firmware(elf, 0x10000, 0x2004_0000)
    manifest = {
        "tinyml": {"board": board, "app": app},
        "board": board,
        "app": app,
        "model": "kws",
        "result": {"elf": str(elf)},
        "elf_sha256": hashlib.sha256(elf.read_bytes()).hexdigest(),
        **changes,
    }
    content = {key: value for key, value in manifest.items() if value is not None}
    (project / "manifest.json").write_text(json.dumps(content))
    return project


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_last_build_is_taken(here: Path) -> None:
    make_build(here, "pico")
    os.utime(here / "build/pico-benchmark/manifest.json", (1, 1))
    project = make_build(here)
    found = find_firmware(None, None)
    assert found is not None
    assert (found.board, found.project, found.environment) == ("nano33ble", Path("build") / project.name, "nano33ble")
    assert (found.model, found.app) == ("kws", "benchmark")
    assert found.elf.is_file()
    other = find_firmware(None, "pico")
    assert other is not None
    assert other.board == "pico"


def test_a_board_file_names_its_board(here: Path) -> None:
    make_build(here)
    found = find_firmware(None, "boards/nano33ble.toml")
    assert found is not None
    assert found.board == "nano33ble"


@pytest.mark.parametrize("what", [None, "build/nano33ble-benchmark"])
def test_a_build_that_failed_is_not_flashed(here: Path, what: str | None) -> None:
    make_build(here, result=None)
    with pytest.raises(BoardError, match="did not succeed: nothing is flashed"):
        find_firmware(what, None)


def test_a_project_of_the_arduino_core_is_platformios_to_flash(here: Path) -> None:
    make_build(here, result=None, framework="arduino")
    with pytest.raises(BoardError, match="is for the Arduino core") as caught:
        find_firmware(None, None)
    assert "pio run -d" in str(caught.value)


def test_a_failed_build_is_not_passed_over_for_an_older_one(here: Path) -> None:
    make_build(here, app="kws")
    os.utime(here / "build/nano33ble-kws/manifest.json", (1, 1))
    make_build(here, result=None)
    with pytest.raises(BoardError, match="the last build of build/nano33ble-benchmark did not succeed"):
        find_firmware(None, None)


def test_an_elf_that_is_not_the_proven_one(here: Path) -> None:
    project = make_build(here)
    elf = project / ".pio/build/nano33ble/firmware.elf"
    elf.write_bytes(elf.read_bytes() + b"\0")
    with pytest.raises(BoardError, match="is not the firmware that `tinyml build` made and proved"):
        find_firmware(None, None)
    named = find_firmware(str(elf), None)
    assert named is not None
    assert (named.elf, named.board) == (elf, None)


def test_a_project_that_was_moved(here: Path) -> None:
    project = make_build(here)
    project.rename(here / "elsewhere")
    found = find_firmware("elsewhere", "nano33ble")
    assert found is not None
    assert found.elf == Path("elsewhere/.pio/build/nano33ble/firmware.elf")


def test_a_firmware_that_is_gone(here: Path) -> None:
    (make_build(here) / ".pio/build/nano33ble/firmware.elf").unlink()
    with pytest.raises(BoardError, match=r"firmware\.elf is gone"):
        find_firmware(None, None)


@pytest.mark.parametrize(
    ("what", "board", "message"),
    [
        (None, None, "there is no build in build/"),
        (None, "pico", "there is no build for pico in build/"),
        ("missing.elf", None, "missing.elf does not exist"),
        ("text.elf", None, "text.elf is no ELF file"),
    ],
)
def test_nothing_to_flash(here: Path, what: str | None, board: str | None, message: str) -> None:
    (here / "text.elf").write_text("text")
    with pytest.raises(UsageError, match=message):
        find_firmware(what, board)


def test_another_boards_project(here: Path) -> None:
    make_build(here)
    with pytest.raises(UsageError, match="was built for nano33ble, not for pico"):
        find_firmware("build/nano33ble-benchmark", "pico")


def test_what_is_neither_is_a_model(here: Path) -> None:
    assert find_firmware("kws_ds_cnn_s", None) is None
    assert find_firmware("runs/kws", None) is None


class TestCommand:
    @pytest.fixture(autouse=True)
    def at_the_bench(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = os.environ["PATH"]
        make_bench(here, monkeypatch, "nano33ble", ["JLinkExe"])
        monkeypatch.setattr(upload, "connected_devices", list)
        monkeypatch.setattr(output, "_state", {"verbosity": output.NORMAL})

    def test_the_last_build(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        make_build(here)
        assert main(["flash"]) == 0
        said = capsys.readouterr()
        assert said.out.startswith("nano33ble: 3,000 bytes at 0x00010000 written with JLinkExe, read back and equal")
        assert said.err == "writing with JLinkExe\n"

    def test_json(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        make_build(here)
        assert main(["flash", "--json", "--quiet", "--board", "nano33ble"]) == 0
        said = capsys.readouterr()
        result = json.loads(said.out)
        assert (result["tool"], result["verified"], result["bytes"], result["dry_run"]) == (
            "JLinkExe",
            True,
            3000,
            False,
        )
        assert said.err == ""

    def test_dry_run(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        make_build(here)
        assert main(["flash", "--dry-run", "--tool", "bossac"]) == 0
        said = capsys.readouterr()
        assert said.out == "bossac --port=PORT -U -i -e -w -v firmware.bin -R\n"
        assert "nothing was written" in said.err

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ([], 2, "there is no build in build/"),
            (["firmware.elf"], 2, "no board was given"),
            (["firmware.elf", "--board", "pico"], 6, "firmware.elf is linked for 0x00010000"),
            (["firmware.elf", "--board", "mps2-an386"], 6, "there is nothing to flash"),
            (["firmware.elf", "--board", "nano33ble", "--tool", "avrdude"], 2, "is not flashed with 'avrdude'"),
            (["no_such_net", "--board", "pico"], 2, "no_such_net"),
            (["build/nano33ble-vww"], 2, "there is no build/nano33ble-vww"),
        ],
    )
    def test_mistakes(self, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["flash", *arguments]) == code
        said = capsys.readouterr().err
        assert message in said
        assert said.count("error: ") == 1
        assert "\nhint: " in said

    def test_the_wrong_board(
        self, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make_build(here)
        devices = [UsbDevice("2e8a:0003", None, "E0", "RP2 Boot", "1-1")]
        monkeypatch.setattr(upload, "connected_devices", lambda: devices)
        monkeypatch.setenv("PATH", str(here / "all"))
        from tests.support.fake_flashers import install

        install(here / "all", "bossac")
        assert main(["flash"]) == 6
        assert "error: found Raspberry Pi Pico: 2e8a:0003" in capsys.readouterr().err

    def test_interrupted(self, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        make_build(here)
        monkeypatch.setattr(upload, "run_tool", interrupt)
        assert main(["flash"]) == 130
        assert "error: interrupted" in capsys.readouterr().err

    @pytest.mark.slow
    def test_a_model_is_built_and_proven_first(
        self, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        import numpy as np

        from tests.support.tflite_builder import Builder

        builder = Builder()
        weights = np.arange(4 * 3 * 3 * 2, dtype=np.int8).reshape(4, 3, 3, 2) - 36
        content = builder.build([builder.conv_2d(builder.input((1, 6, 6, 2)), weights)])
        (here / "small.tflite").write_bytes(content)
        monkeypatch.setenv("PATH", f"{here / 'bin'}{os.pathsep}{self.path}")
        assert main(["flash", "small.tflite", "--board", "nano33ble", "--json", "--quiet"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["verified"], result["address"]) == (True, 0x10000)
        assert main(["flash", "--quiet", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["bytes"] == result["bytes"]
        manifest = json.loads((here / "build" / "nano33ble-benchmark" / "manifest.json").read_text())
        assert len(manifest["elf_sha256"]) == 64
        (here / "small.tflite").write_bytes(content[:200])
        assert main(["build", "small.tflite", "--board", "nano33ble"]) == 4
        assert main(["flash"]) == 6
        assert "the last build of build/nano33ble-benchmark did not succeed" in capsys.readouterr().err
