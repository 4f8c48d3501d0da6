"""Every upload tool, driven for real, against a fake that has its grammar, its words and its exit codes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.flash.bench import Bench, make_bench, open_terminal
from tinyml.errors import BoardError, TinymlError, UsageError, WrongBoardError
from tinyml.flash import upload as upload_module
from tinyml.flash.backends import BACKENDS
from tinyml.flash.ports import UsbDevice
from tinyml.flash.request import Reporter, Request
from tinyml.flash.running import percentage, run_tool

BOARDS = {
    "bossac": "nano33ble",
    "picotool": "pico",
    "pyocd": "microbit",
    "openocd": "nucleo_l4r5zi",
    "st-flash": "nucleo_h743zi",
    "STM32_Programmer_CLI": "nucleo_u575zi",
    "JLinkExe": "nano33ble",
    "dfu-util": "netduinoplus2",
}


@pytest.fixture(params=BOARDS)
def tool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str) -> Iterator[Bench]:
    made = make_bench(tmp_path, monkeypatch, BOARDS[tool], [tool])
    if tool != "bossac":
        yield made
        return
    far, name = open_terminal()
    made.devices[0] = replace(made.devices[0], port=name)
    yield made
    os.close(far)


def fails(bench: Bench, monkeypatch: pytest.MonkeyPatch, mode: str) -> TinymlError:
    monkeypatch.setenv("FAKE_MODE", mode)
    with pytest.raises(BoardError) as caught:
        bench.flash()
    assert caught.value.exit_code == 6
    assert caught.value.hint
    return caught.value


def test_every_tool_of_every_board_is_tested() -> None:
    from tinyml.boards import list_boards

    named = {upload.tool for board in list_boards() for upload in board.upload if upload.protocol != "none"}
    assert named == {*BOARDS, "copy"}
    assert named < set(BACKENDS)


def test_good(bench: Bench, tool: str) -> None:
    steps: list[str] = []
    percents: list[int] = []
    result = bench.flash(reporter=Reporter(say=steps.append, percent=percents.append))
    assert bench.written is not None
    address, content = bench.written
    assert address == result.address
    assert content[: len(bench.data)] == bench.data
    assert set(content[len(bench.data) :]) <= {0xFF}
    assert (result.tool, result.verified, result.size_bytes) == (tool, True, len(bench.data))
    assert steps[-1] in (f"writing with {tool}", f"verifying with {tool}")
    assert tool in ("openocd", "JLinkExe", "st-flash") or 100 in percents
    assert len(result.commands) == len(bench.calls)


def test_without_verifying(bench: Bench, tool: str) -> None:
    result = bench.flash(Request(verify=False, timeout_s=20))
    assert not result.verified
    assert bench.written is not None
    words = {word for call in bench.calls for word in call}
    assert not words & {"-v", "-U", "compare"} - ({"-U"} if tool == "bossac" else set())


def test_a_dry_run_writes_nothing(bench: Bench, tool: str) -> None:
    result = bench.flash(Request(dry_run=True))
    assert bench.calls == []
    assert bench.written is None
    assert not result.verified
    assert all(f"/{tool} " in command for command in result.commands)


def test_nothing_is_connected(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "absent")
    assert error.message.startswith(f"{tool} finds no {bench.board.title}")
    upload = next(u for u in bench.board.upload if u.tool == tool)
    assert error.hint == upload.press
    assert bench.written is None


@pytest.mark.parametrize("tool", ["picotool", "pyocd", "openocd", "st-flash", "dfu-util"], indirect=True)
def test_no_permission(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "denied")
    assert error.message.startswith(f"no permission to use the USB device ({tool}: ")
    vendor = bench.devices[0].usb_id[:4]
    assert f'ATTRS{{idVendor}}=="{vendor}"' in (error.hint or "")
    assert "dialout" in (error.hint or "")


@pytest.mark.parametrize("tool", ["pyocd", "openocd", "st-flash", "dfu-util"], indirect=True)
def test_the_probe_is_in_use(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "busy")
    assert "is in use by another program" in error.message
    assert "close" in (error.hint or "")


@pytest.mark.parametrize("tool", ["picotool", "openocd", "dfu-util"], indirect=True)
def test_another_chip(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "wrong")
    assert isinstance(error, WrongBoardError)
    assert error.message.startswith(f"{tool} found another chip than the {bench.board.mcu}")
    assert bench.written is None


@pytest.mark.parametrize("tool", ["bossac", "st-flash"], indirect=True)
def test_a_chip_that_the_tool_does_not_know(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "wrong")
    assert error.message.startswith(f"{tool} does not know the chip it found: ")
    assert "docs/flashing.md" in (error.hint or "")
    assert bench.written is None


@pytest.mark.parametrize("tool", ["bossac"], indirect=True)
def test_the_vendors_own_build_of_a_tool_is_preferred(bench: Bench) -> None:
    from tests.support.fake_flashers import install

    package = bench.folder / "home/.arduino15/packages/arduino/tools/bossac/1.9.1-arduino2"
    install(package, "bossac")
    assert bench.flash(Request(dry_run=True)).commands[0].startswith(f"{package}/bossac --port=")


@pytest.mark.parametrize("tool", ["pyocd", "STM32_Programmer_CLI", "JLinkExe"], indirect=True)
def test_a_chip_that_does_not_answer(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "wrong")
    assert error.message.startswith(f"the probe works, but the {bench.board.mcu} does not answer ({tool}: ")


def test_what_is_read_back_differs(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "verify")
    assert error.message.startswith(f"what {tool} read back is not what was written")
    assert "do not trust what is on the board" in (error.hint or "")


def test_the_connection_breaks(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "broken")
    assert error.message.startswith(f"the connection broke while {tool} was writing: ")
    assert error.message.endswith(f"{bench.board.name} may hold an incomplete firmware")


def test_the_tool_is_killed_half_way(bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    error = fails(bench, monkeypatch, "dies")
    assert error.message.startswith(f"{tool} was ended by SIGKILL while writing: ")
    assert "incomplete firmware" in error.message


@pytest.mark.parametrize("tool", ["openocd"], indirect=True)
def test_a_tool_that_hangs_is_stopped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE", "hangs")
    with pytest.raises(BoardError, match="openocd did not end within 1 s and was stopped"):
        bench.flash(Request(timeout_s=1))


@pytest.mark.parametrize("tool", ["openocd"], indirect=True)
def test_what_is_not_understood_is_shown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = replace(bench.board.upload[0], target="board/none.cfg")
    bench.board = replace(bench.board, upload=(upload,))
    error = fails(bench, monkeypatch, "good")
    assert "openocd failed while writing with exit code 1" in error.message
    assert "Can't find board/none.cfg" in error.message


def test_the_chosen_device_is_passed_on(bench: Bench, tool: str) -> None:
    bench.flash(Request(port="0123abcd", timeout_s=20))
    words = " ".join(bench.calls[0])
    number = "0123ABCD" if bench.board.upload[0].usb_ids and tool != "JLinkExe" else "0123abcd"
    assert number in words or tool == "bossac"


def test_the_first_installed_tool_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "nucleo_l4r5zi", ["st-flash", "STM32_Programmer_CLI", "JLinkExe"])
    assert bench.flash().tool == "STM32_Programmer_CLI"
    assert bench.flash(Request(tool="JLinkExe", timeout_s=20)).tool == "JLinkExe"


def test_a_tool_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "nano33ble", [])
    with pytest.raises(
        BoardError, match="no tool that flashes nano33ble is installed: bossac, pyocd, JLinkExe"
    ) as caught:
        bench.flash()
    assert "arduino-cli core install" in (caught.value.hint or "")
    assert bench.flash(Request(dry_run=True)).commands == ("bossac --port=PORT -U -i -e -w -v firmware.bin -R",)


def test_a_tool_that_the_board_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "nano33ble", ["st-flash"])
    with pytest.raises(UsageError, match="nano33ble is not flashed with 'st-flash'"):
        bench.flash(Request(tool="st-flash"))


def test_an_emulated_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "mps2-an386", [])
    with pytest.raises(BoardError, match="there is nothing to flash") as caught:
        bench.flash()
    assert "tinyml emulate" in (caught.value.hint or "")


def test_a_person_is_told_what_to_press_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", ["picotool"])
    board, steps = list(bench.devices), []
    bench.devices.clear()

    def say(text: str) -> None:
        steps.append(text)
        if "hold BOOTSEL" in text:
            bench.devices.extend(board)

    assert bench.flash(Request(wait_s=5, timeout_s=20), Reporter(say=say)).verified
    assert steps[0] == (
        "no Raspberry Pi Pico is connected (USB 2e8a:0003 or 2e8a:000a): "
        "hold BOOTSEL while plugging the board in, then let go (waiting 5 s)"
    )


def test_nobody_presses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", ["picotool"])
    bench.devices.clear()
    with pytest.raises(BoardError, match=re.escape("no Raspberry Pi Pico is connected (USB 2e8a:0003 or 2e8a:000a)")):
        bench.flash(Request(wait_s=0.3))


def test_another_board_is_connected_while_this_one_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", ["picotool"])
    bench.devices[:] = [UsbDevice("2341:805a", "/dev/ttyACM0", "AA", "Nano 33 BLE", "1-1")]
    steps: list[str] = []
    with pytest.raises(WrongBoardError, match="found Arduino Nano 33 BLE"):
        bench.flash(Request(wait_s=0.3), Reporter(say=steps.append))
    assert "hold BOOTSEL" in steps[0]
    with pytest.raises(WrongBoardError):
        bench.flash(Request(dry_run=True))
    assert bench.calls == []


def test_stopping_it_says_what_the_board_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    bench = make_bench(tmp_path, monkeypatch, "pico", ["picotool"])
    monkeypatch.setattr(upload_module, "run_tool", interrupt)
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        bench.flash(reporter=Reporter(say=steps.append))
    assert steps[-1] == "stopped while writing: pico may hold an incomplete firmware; flash again"


def test_output_comes_line_by_line_also_without_line_ends(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.write('a\\r 10% b\\rlast 100.0 %'); sys.stdout.flush()"
    lines: list[str] = []
    outcome = run_tool([sys.executable, "-c", script], tmp_path, timeout_s=20, on_line=lines.append)
    assert (outcome.code, lines) == (0, ["a", " 10% b", "last 100.0 %"])
    assert [percentage(line) for line in lines] == [None, 10, 100]


class TestPlatformio:
    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
        made = make_bench(tmp_path, monkeypatch, "nucleo_l4r5zi", ["pio"])
        project = tmp_path / "project"
        elf = project / ".pio" / "build" / "nucleo_l4r5zi" / "firmware.elf"
        elf.parent.mkdir(parents=True)
        (project / "platformio.ini").write_text("")
        made.firmware.elf.rename(elf)
        made.firmware = replace(made.firmware, elf=elf, project=project, environment="nucleo_l4r5zi")
        return made

    REQUEST = Request(tool="platformio", timeout_s=20)

    def test_a_relative_folder_and_a_port(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(bench.folder)
        bench.firmware = replace(bench.firmware, project=Path("project"))
        bench.devices[:] = [UsbDevice("0483:374b", "/dev/ttyACM0", "AA"), UsbDevice("2341:805a", "/dev/ttyACM1", "BB")]
        bench.flash(replace(self.REQUEST, port="/dev/ttyACM0"))
        assert bench.calls[0][2:4] == ["-d", str(bench.folder / "project")]
        assert bench.calls[0][-2:] == ["--upload-port", "/dev/ttyACM0"]
        with pytest.raises(WrongBoardError):
            bench.flash(replace(self.REQUEST, port="/dev/ttyACM1"))

    def test_what_is_connected_is_left_to_it(self, bench: Bench) -> None:
        bench.devices.clear()
        assert bench.flash(self.REQUEST).tool == "platformio"

    def test_good(self, bench: Bench) -> None:
        assert not bench.flash(self.REQUEST).verified
        expected = ["pio", "run", "-d", str(bench.firmware.project), "-e", "nucleo_l4r5zi", "-t", "upload"]
        assert bench.calls == [expected]

    def test_its_tool_finds_nothing(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAKE_MODE", "absent")
        with pytest.raises(BoardError, match="platformio finds no ST NUCLEO-L4R5ZI"):
            bench.flash(self.REQUEST)

    def test_it_built_something_else(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAKE_REBUILDS", "1")
        with pytest.raises(BoardError, match="what is on the board was not proven"):
            bench.flash(self.REQUEST)

    def test_a_single_file_is_no_project(self, bench: Bench) -> None:
        bench.firmware = replace(bench.firmware, project=None)
        with pytest.raises(UsageError, match="PlatformIO uploads projects"):
            bench.flash(self.REQUEST)
