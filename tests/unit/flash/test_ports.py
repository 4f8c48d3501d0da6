"""Which connected device is the board: never another one, never one of several."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tinyml.boards import list_boards, load_board
from tinyml.errors import BoardError, WrongBoardError
from tinyml.flash.ports import UsbDevice, connected_devices, find_device, known_usb_ids

NANO = load_board("nano33ble")
SAM_BA, PYOCD = NANO.upload[0], NANO.upload[1]
KNOWN = known_usb_ids(list_boards())
APPLICATION = UsbDevice("2341:805a", "/dev/ttyACM0", "AA", "Nano 33 BLE", "1-1")
PICO = UsbDevice("2e8a:0003", None, "E0C9125B0D9B", "RP2 Boot", "1-2")
KEYBOARD = UsbDevice("046d:c31c", None, None, "Keyboard", "1-3")


def test_the_board_among_other_devices() -> None:
    assert find_device(NANO, SAM_BA, None, [KEYBOARD, APPLICATION], KNOWN) == APPLICATION


def test_two_ports_of_one_device_are_one_board() -> None:
    second = UsbDevice("2341:805a", "/dev/ttyACM1", "AA", "Nano 33 BLE", "1-1")
    assert find_device(NANO, SAM_BA, None, [APPLICATION, second], KNOWN) == APPLICATION


def test_two_boards_are_asked_about() -> None:
    second = UsbDevice("2341:005a", "/dev/ttyACM1", "BB", "Nano 33 BLE", "1-4")
    with pytest.raises(BoardError, match="2 boards are connected that could be nano33ble") as caught:
        find_device(NANO, SAM_BA, None, [APPLICATION, second], KNOWN)
    assert "--port /dev/ttyACM0" in (caught.value.hint or "")
    assert find_device(NANO, SAM_BA, "/dev/ttyACM1", [APPLICATION, second], KNOWN) == second
    assert find_device(NANO, SAM_BA, "bb", [APPLICATION, second], KNOWN) == second


def test_another_board_is_refused_with_both_ids() -> None:
    with pytest.raises(WrongBoardError) as caught:
        find_device(NANO, SAM_BA, None, [PICO, KEYBOARD], KNOWN)
    assert caught.value.exit_code == 6
    assert caught.value.message == (
        "found Raspberry Pi Pico: 2e8a:0003 (RP2 Boot) at serial number E0C9125B0D9B, "
        "but nano33ble has USB 2341:005a or 2341:805a"
    )
    assert "nothing was written" in (caught.value.hint or "")
    assert "press the reset button twice" in (caught.value.hint or "")


def test_the_named_port_is_another_boards() -> None:
    other = UsbDevice("0483:374b", "/dev/ttyACM3", "CC", "STM32 STLink", "1-4")
    with pytest.raises(WrongBoardError, match=r"0483:374b \(STM32 STLink\) at /dev/ttyACM3, but nano33ble has USB"):
        find_device(NANO, SAM_BA, "/dev/ttyACM3", [APPLICATION, other], KNOWN)


def test_nothing_is_connected() -> None:
    with pytest.raises(BoardError, match=r"no Arduino Nano 33 BLE .* is connected") as caught:
        find_device(NANO, SAM_BA, None, [KEYBOARD], KNOWN)
    assert caught.value.hint == SAM_BA.press


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(BoardError, match="there is no port /dev/ttyACM9") as caught:
        find_device(NANO, SAM_BA, "/dev/ttyACM9", [APPLICATION], KNOWN)
    assert "/dev/ttyACM0" in (caught.value.hint or "")


def test_a_port_that_is_no_usb_device(tmp_path: Path) -> None:
    (tmp_path / "tty").touch()
    with pytest.raises(BoardError, match="has no USB ids"):
        find_device(NANO, SAM_BA, str(tmp_path / "tty"), [APPLICATION], KNOWN)


def test_a_link_to_a_port(tmp_path: Path) -> None:
    (tmp_path / "ttyACM0").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyACM0")
    device = UsbDevice("2341:805a", str(tmp_path / "ttyACM0"), "AA")
    assert find_device(NANO, SAM_BA, str(tmp_path / "by-id"), [device], KNOWN) == device


def test_a_debug_probe_of_ones_own_is_left_to_the_tool() -> None:
    assert find_device(NANO, PYOCD, None, [KEYBOARD, PICO], KNOWN) is None
    named = find_device(NANO, PYOCD, "E6616407E3496B28", [KEYBOARD], KNOWN)
    assert named is not None
    assert named.serial_number == "E6616407E3496B28"


def test_a_shared_debug_probe_names_every_board_that_has_it() -> None:
    assert " or " in KNOWN["0483:374b"]
    assert KNOWN["2e8a:0003"] == "Raspberry Pi Pico"


def test_devices_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from serial.tools import list_ports

    ports = [
        SimpleNamespace(
            vid=0x2341, pid=0x805A, device="/dev/ttyACM0", serial_number="AA", product="Nano", location="1-1:1.0"
        ),
        SimpleNamespace(vid=None, pid=None, device="/dev/ttyS0", serial_number=None, product=None, location=None),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    for name, vendor, product in (("1-1", "2341", "805a"), ("1-2", "2e8a", "0003")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "idVendor").write_text(f"{vendor}\n")
        (folder / "idProduct").write_text(f"{product}\n")
        (folder / "serial").write_text("AA\n" if name == "1-1" else "E0C9125B0D9B\n")
    (tmp_path / "1-2:1.0").mkdir()
    assert connected_devices(tmp_path) == [
        UsbDevice("2341:805a", "/dev/ttyACM0", "AA", "Nano", "1-1"),
        UsbDevice("2e8a:0003", None, "E0C9125B0D9B", None, "1-2"),
    ]
    assert len(connected_devices(tmp_path / "none")) == 1
