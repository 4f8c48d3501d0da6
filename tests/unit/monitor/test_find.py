"""Which serial port the monitor follows."""

from __future__ import annotations

import pytest

from tinyml.errors import BoardError
from tinyml.flash.ports import UsbDevice
from tinyml.monitor.find import find_port


def test_which_port_is_followed_where_none_is_named() -> None:
    from tinyml.boards import load_board

    nano, other = UsbDevice("2341:805a", "/dev/ttyACM0", "A"), UsbDevice("0403:6001", "/dev/ttyUSB0", "B")
    assert find_port(load_board("nano33ble"), [other, nano]) == "/dev/ttyACM0"
    assert find_port(load_board("pico"), [other]) == "/dev/ttyUSB0"
    assert find_port(None, [nano, UsbDevice("2e8a:0003")]) == "/dev/ttyACM0"
    with pytest.raises(BoardError, match="there are 2 serial ports") as caught:
        find_port(None, [nano, other])
    assert "tinyml monitor /dev/ttyACM0" in (caught.value.hint or "")
    with pytest.raises(BoardError, match="there is no serial port of Raspberry Pi Pico"):
        find_port(load_board("pico"), [])
