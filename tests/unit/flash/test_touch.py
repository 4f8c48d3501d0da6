"""Sending a board to its bootloader by opening its port at 1200 baud; ports that do not open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.flash.bench import Bench, make_bench, open_terminal
from tinyml.errors import BoardError, WrongBoardError
from tinyml.flash import locate, serial_port
from tinyml.flash.ports import UsbDevice
from tinyml.flash.request import Request
from tinyml.flash.upload import flash


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

        monkeypatch.setattr(locate, "touch", touch)
        application_port = bench.devices[0].port
        result = bench.flash()
        assert touched == [application_port]
        assert result.port == self.bootloader_port
        assert bench.calls[0][1] == f"--port={self.bootloader_port}"

    def test_the_port_comes_a_moment_after_its_device_and_opens_later_still(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import serial

        bare = UsbDevice("2341:005a", None, "CD", "Arduino Nano 33 BLE", "1-4")
        later = iter([bare, bare, replace(bare, port=self.bootloader_port)])
        refusals = iter([13, 2])
        really_open = serial.Serial.open

        def open_port(line: serial.Serial) -> None:
            number = next(refusals, None)
            if number is not None:
                raise serial.SerialException(number, "not yet")
            really_open(line)

        def touch(port: str, upload: object) -> None:
            bench.devices.clear()
            monkeypatch.setattr(serial.Serial, "open", open_port)

        def lister() -> list[UsbDevice]:
            return list(bench.devices) or [next(later, replace(bare, port=self.bootloader_port))]

        monkeypatch.setattr(locate, "touch", touch)
        result = flash(bench.firmware, bench.board, Request(timeout_s=20), lister=lister)
        assert (result.port, result.verified) == (self.bootloader_port, True)

    def test_a_board_that_does_not_come_back(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locate, "REAPPEAR_S", 0.3)
        monkeypatch.setattr(locate, "touch", lambda port, upload: bench.devices.clear())
        with pytest.raises(BoardError, match="did not come back in its bootloader within") as caught:
            bench.flash()
        assert "press the reset button twice" in (caught.value.hint or "")
        assert bench.calls == []

    def test_another_board_in_its_bootloader_is_left_alone(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        other = UsbDevice("2341:005a", self.bootloader_port, "EF", "Arduino Nano 33 BLE", "2-1")
        monkeypatch.setattr(locate, "REAPPEAR_S", 0.3)
        monkeypatch.setattr(locate, "touch", lambda port, upload: bench.devices.append(other))
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


class TestTouchOfRp2:
    """pico and pico2 print on their USB socket: after the touch picotool's interface appears, without a port."""

    IDS = (("pico", "2e8a:000a", "2e8a:0003"), ("pico2", "2e8a:0009", "2e8a:000f"))

    @pytest.fixture(params=IDS, ids=lambda ids: ids[0])
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
        board, running, self.boot = request.param
        made = make_bench(tmp_path, monkeypatch, board, ["picotool"])
        far, self.port = open_terminal()
        made.devices[:] = [UsbDevice(running, self.port, None, "console", "1-4")]
        monkeypatch.setattr(locate, "SETTLE_S", 0)
        yield made
        os.close(far)

    def test_picotool_takes_over(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        touched: list[str] = []

        def touch(port: str, upload: object) -> None:
            touched.append(port)
            bench.devices[:] = [UsbDevice(self.boot, None, "E0C9125B0D9B", "RP2 Boot", "1-4")]

        monkeypatch.setattr(locate, "touch", touch)
        for named in (None, self.port):
            bench.devices[:] = [UsbDevice(bench.board.upload[0].usb_ids[1], self.port, None, "console", "1-4")]
            result = bench.flash(Request(port=named, timeout_s=20))
            assert result.verified and bench.written is not None
            assert bench.written[1][: len(bench.data)] == bench.data
        assert touched == [self.port, self.port]
        chosen = [call[call.index("--ser") + 1] if "--ser" in call else None for call in bench.calls]
        assert chosen == [None, "E0C9125B0D9B"], "the one that was named, by the number of its boot ROM"

    def test_a_firmware_that_does_not_listen(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locate, "REAPPEAR_S", 0.2)
        with pytest.raises(BoardError, match="did not come back in its bootloader") as caught:
            bench.flash()
        assert "hold BOOTSEL while plugging the board in" in (caught.value.hint or "")
        assert bench.calls == []

    def test_the_other_chip_is_left_alone(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        other = next(running for name, running, _ in self.IDS if name != bench.board.name)
        bench.devices[:] = [UsbDevice(other, self.port, None, "console", "1-4")]
        monkeypatch.setattr(locate, "touch", lambda port, upload: pytest.fail("another board was touched"))
        with pytest.raises(WrongBoardError, match=f"has USB {' or '.join(bench.board.upload[0].usb_ids)}"):
            bench.flash()
        assert bench.calls == []
