"""Every upload tool, driven for real, against a fake that has its grammar, its words and its exit codes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.flash.bench import Bench, make_bench, open_terminal
from tinyml.errors import BoardError, TinymlError, UsageError, WrongBoardError
from tinyml.flash import serial_port
from tinyml.flash import upload as upload_module
from tinyml.flash.backends import BACKENDS
from tinyml.flash.ports import UsbDevice
from tinyml.flash.upload import Reporter, Request

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


class TestTouch:
    """nano33ble runs its application: its port is opened at 1200 baud, and another port appears."""

    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
        made = make_bench(tmp_path, monkeypatch, "nano33ble", ["bossac"])
        self.application, application_port = open_terminal()
        self.bootloader, self.bootloader_port = open_terminal()
        made.devices[:] = [UsbDevice("2341:805a", application_port, "AB", "Nano 33 BLE", "1-4")]
        yield made
        os.close(self.application)
        os.close(self.bootloader)

    def test_the_port_that_reappears_is_used(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        touched: list[str] = []
        really_touch = serial_port.touch

        def touch(port: str, upload: object) -> None:
            really_touch(port, bench.board.upload[0])
            touched.append(port)
            bench.devices[:] = [UsbDevice("2341:005a", self.bootloader_port, "CD", "Arduino Nano 33 BLE", "1-4")]

        monkeypatch.setattr(upload_module, "touch", touch)
        application_port = bench.devices[0].port
        result = bench.flash()
        assert touched == [application_port]
        assert result.port == self.bootloader_port
        assert bench.calls[0][1] == f"--port={self.bootloader_port}"

    def test_a_board_that_does_not_come_back(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(upload_module, "REAPPEAR_S", 0.3)
        monkeypatch.setattr(upload_module, "touch", lambda port, upload: bench.devices.clear())
        with pytest.raises(BoardError, match="did not come back in its bootloader within") as caught:
            bench.flash()
        assert "press the reset button twice" in (caught.value.hint or "")
        assert bench.calls == []

    def test_another_board_in_its_bootloader_is_left_alone(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        other = UsbDevice("2341:005a", self.bootloader_port, "EF", "Arduino Nano 33 BLE", "2-1")
        monkeypatch.setattr(upload_module, "REAPPEAR_S", 0.3)
        monkeypatch.setattr(upload_module, "touch", lambda port, upload: bench.devices.append(other))
        with pytest.raises(BoardError, match="did not come back in its bootloader"):
            bench.flash(Request(port=bench.devices[0].port))
        assert bench.calls == []

    def test_the_touch_speaks_1200_baud(self, bench: Bench) -> None:
        import termios

        port = bench.devices[0].port
        assert port is not None
        keep = os.open(port, os.O_RDWR | os.O_NOCTTY)
        serial_port.touch(port, bench.board.upload[0])
        assert termios.tcgetattr(keep)[4] == termios.B1200
        os.close(keep)

    @pytest.mark.parametrize(
        ("number", "message"),
        [(13, "no permission to use"), (16, "is in use by another program"), (2, "is gone"), (99, "does not open")],
    )
    def test_a_port_that_does_not_open(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, message: str
    ) -> None:
        import serial

        def refuse(self: object, *_: object) -> None:
            raise serial.SerialException(number, "as the system says")

        monkeypatch.setattr(serial.Serial, "open", refuse)
        with pytest.raises(BoardError, match=message):
            bench.flash()
        bench.devices[0] = replace(bench.devices[0], usb_id="2341:005a")
        with pytest.raises(BoardError, match=message):
            bench.flash()
        assert bench.calls == []

    def test_a_port_that_a_monitor_holds(self, bench: Bench) -> None:
        import serial

        port = bench.devices[0].port
        with serial.Serial(port, exclusive=True), pytest.raises(BoardError, match="is in use by another program"):
            bench.flash()


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
        "Raspberry Pi Pico does not show itself: hold BOOTSEL while plugging the board in, then let go (waiting 5 s)"
    )


def test_nobody_presses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", ["picotool"])
    bench.devices.clear()
    with pytest.raises(BoardError, match=re.escape("no Raspberry Pi Pico is connected (USB 2e8a:0003 or 2e8a:000a)")):
        bench.flash(Request(wait_s=0.3))


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
