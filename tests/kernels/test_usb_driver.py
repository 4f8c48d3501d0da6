"""The RP2040's and RP2350's USB console against a host in Python: enumeration, line state, bytes both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.driver_machine import DriverMachine
from tests.support.tiny_vww import tiny_vww
from tests.support.trivial_network import require_toolchain
from tinyml.boards import load_board, with_console
from tinyml.errors import UsageError
from tinyml.firmware.drivers import drivers_for
from tinyml.firmware.image import read_image
from tinyml.pipeline import Options, build

RAM, USB = 0x50100000, 0x50110000
EP0_IN, EP0_OUT, EP2_IN, EP2_OUT = RAM + 0x80, RAM + 0x84, RAM + 0x90, RAM + 0x94
AVAILABLE, STALL, DATA1, FULL = 1 << 10, 1 << 11, 1 << 13, 1 << 15
STATUS_INT, RESET_INT, SETUP_INT = 1 << 4, 1 << 12, 1 << 16
CODE = """
uint32_t tml_slower_hz, got, wrote;
uint8_t text[256];
void run(void);
void poll(void);
void say(void);
void run(void) { tml_uart_init(); }
void poll(void) { got = (uint32_t)tml_uart_read(); }
void say(void) { for (uint32_t i = 0; i < wrote; ++i) tml_uart_write((char)text[i]); }
"""


class Host:
    """The other end of the cable: requests as packets in the controller's memory, interrupts as calls."""

    def __init__(self, board: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        loaded = with_console(load_board(board), "usb")
        monkeypatch.setattr("tests.support.driver_machine.load_board", lambda _: loaded)
        monkeypatch.setattr("tinyml.firmware.drivers.USB_HOST_WAIT_MS", 2)
        self.core = DriverMachine(board, (), ["uart_rp2_usb.c"], CODE, folder, "poll", "say", "tml_usb_irq")
        self.interrupts = self.done = 0
        self.core.on_read |= {
            USB + 0x98: lambda _: self.interrupts,
            USB + 0x58: lambda _: self.done,
            (0x4000C008 if board == "pico" else 0x40020008): lambda _: 0xFFFFFFFF,
            (0x4002C000 if board == "pico" else 0x40058000): lambda value: value | 1 << 31,
        }

    def _interrupt(self, interrupts: int, done: int = 0) -> None:
        self.interrupts, self.done = interrupts, done
        self.core.machine.call("tml_usb_irq")
        self.interrupts = self.done = 0

    def _setup(self, request: bytes) -> None:
        assert len(request) == 8
        for place in (EP0_IN, EP0_OUT):
            self.core.registers[place] = 0
        self.core.registers[RAM], self.core.registers[RAM + 4] = (
            int.from_bytes(request[at : at + 4], "little") for at in (0, 4)
        )
        self._interrupt(SETUP_INT)

    def packet(self, control: int, data: int) -> tuple[int, bytes]:
        """What the device has handed over for the host: (data toggle, bytes)."""
        value = self.core.registers[control]
        assert value & AVAILABLE and value & FULL
        words = b"".join(self.core.registers.get(RAM + data + 4 * i, 0).to_bytes(4, "little") for i in range(16))
        return value >> 13 & 1, words[: value & 0x3FF]

    def bus_reset(self) -> None:
        self._interrupt(RESET_INT)

    def ask(self, request: bytes) -> bytes | None:
        """The answer to a request that has one, packet by packet; None where it is refused."""
        self._setup(request)
        wanted, answer, toggle = int.from_bytes(request[6:], "little"), b"", 1
        while True:
            if self.core.registers[EP0_IN] & STALL:
                assert self.core.registers[USB + 0x68] == 3
                return None
            got, data = self.packet(EP0_IN, 0x100)
            assert got == toggle
            answer, toggle = answer + data, 1 - toggle
            self._interrupt(STATUS_INT, 1)
            if len(data) < 64 or len(answer) == wanted:
                assert self.core.registers[EP0_OUT] & AVAILABLE, "the status of the host is awaited"
                self._interrupt(STATUS_INT, 2)
                return answer

    def tell(self, request: bytes, data: bytes = b"") -> bool:
        """A request without answer, with ``data`` behind it; whether it was taken."""
        self._setup(request)
        if self.core.registers[EP0_IN] & STALL:
            return False
        if data:
            assert self.core.registers[EP0_OUT] & (AVAILABLE | DATA1) == AVAILABLE | DATA1
            self._put(0x100, data)
            self._interrupt(STATUS_INT, 2)
        assert self.packet(EP0_IN, 0x100) == (1, b"")
        self._interrupt(STATUS_INT, 1)
        return True

    def _put(self, place: int, data: bytes) -> None:
        for at in range(0, len(data), 4):
            self.core.registers[RAM + place + at] = int.from_bytes(data[at : at + 4], "little")

    def send(self, data: bytes) -> bool:
        """A packet to endpoint 2; whether the device had room."""
        value = self.core.registers[EP2_OUT]
        if not value & AVAILABLE:
            return False
        self._put(0x180, data)
        self.core.registers[EP2_OUT] = value & DATA1 | FULL | len(data)
        self._interrupt(STATUS_INT, 32)
        return True

    def taken(self) -> None:
        """The host has fetched the packet of endpoint 2."""
        self.core.registers[EP2_IN] &= ~AVAILABLE
        self._interrupt(STATUS_INT, 16)

    def say(self, text: bytes) -> None:
        self.core.machine.write("text", text)
        self.core.machine.write("wrote", len(text).to_bytes(4, "little"))
        self.core.machine.call("say")

    def read(self) -> int:
        self.core.machine.call("poll")
        return self.core.variable("got")


@pytest.fixture(params=["pico", "pico2"])
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(request.param, tmp_path, monkeypatch)


def enumerated(host: Host) -> Host:
    host.core.run()
    host.bus_reset()
    assert host.tell(bytes([0, 5, 7, 0, 0, 0, 0, 0]))
    assert host.core.registers[USB] == 7, "the address takes effect behind its status"
    assert host.tell(bytes([0, 9, 1, 0, 0, 0, 0, 0]))
    return host


def test_the_controller_is_started(host: Host) -> None:
    host.core.run()
    registers = host.core.registers
    assert registers[USB + 0x40] == 1 and registers[USB + 0x74] == 9 and registers[USB + 0x78] == 12
    assert registers[USB + 0x4C] == 1 << 29 | 1 << 16, "pulled up"
    assert registers[USB + 0x90] == STATUS_INT | RESET_INT | SETUP_INT
    assert registers[0xE000E100] in (1 << 5, 1 << 14)


def test_the_host_learns_what_it_is(host: Host) -> None:
    enumerated(host)
    device = host.ask(bytes([0x80, 6, 0, 1, 0, 0, 18, 0]))
    assert device is not None and len(device) == 18 and device[8:12] == bytes([0x8A, 0x2E, 0x0A, 0])
    assert host.ask(bytes([0x80, 6, 0, 1, 0, 0, 8, 0])) == device[:8]
    configuration = host.ask(bytes([0x80, 6, 0, 2, 0, 0, 255, 0]))
    assert configuration is not None and len(configuration) == 75 == int.from_bytes(configuration[2:4], "little")
    at, kinds = 0, []
    while at < len(configuration):
        kinds.append(configuration[at + 1])
        at += configuration[at]
    assert at == 75 and kinds == [2, 11, 4, 0x24, 0x24, 0x24, 0x24, 5, 4, 5, 5]
    for index in (1, 2):
        text = host.ask(bytes([0x80, 6, index, 3, 9, 4, 255, 0]))
        assert text is not None and text[2:].decode("utf-16-le") in ("tinyml", "console")
    assert host.ask(bytes([0x80, 6, 0, 6, 0, 0, 10, 0])) is None, "no other speed"
    assert not host.tell(bytes([0x21, 0x77, 0, 0, 0, 0, 0, 0]))


def test_bytes_go_both_ways(host: Host) -> None:
    enumerated(host)
    host.say(b"nobody listens\n")
    assert not host.core.registers.get(EP2_IN, 0) & AVAILABLE
    assert host.tell(bytes([0x21, 0x22, 1, 0, 0, 0, 0, 0])), "DTR"
    toggles = []
    for text in (b"m-ready\r\n", b"\r\n", b"x" * 62 + b"\n"):
        host.say(text)
        toggle, data = host.packet(EP2_IN, 0x1C0)
        assert data == text
        toggles.append(toggle)
        host.taken()
    assert toggles == [0, 1, 0]
    assert host.read() == 0xFFFFFFFF
    for text in (b"db load 16%", bytes(range(200, 250))):
        assert host.send(text)
        assert bytes(host.read() for _ in text) == text
    assert host.read() == 0xFFFFFFFF


def test_the_host_waits_while_nothing_is_read(host: Host) -> None:
    enumerated(host)
    blocks = [bytes([n]) * 64 for n in range(6)]
    sent = [host.send(block) for block in blocks]
    assert sent == [True] * 4 + [False] * 2, "256 bytes are kept"
    assert bytes(host.read() for _ in range(256)) == b"".join(blocks[:4])
    assert host.send(blocks[4]) and host.read() == 4


def test_the_line_coding_is_kept_and_told(host: Host) -> None:
    enumerated(host)
    coding = (9600).to_bytes(4, "little") + bytes([0, 0, 8])
    assert host.tell(bytes([0x21, 0x20, 0, 0, 0, 0, 7, 0]), coding)
    assert host.ask(bytes([0xA1, 0x21, 0, 0, 0, 0, 7, 0])) == coding


def test_a_board_whose_socket_has_no_driver() -> None:
    with pytest.raises(UsageError, match="the USB socket of nano33ble has no driver"):
        with_console(load_board("nano33ble"), "usb")
    nano = load_board("nano33ble")
    assert with_console(nano, "board") is nano
    assert "uart_rp2_usb.c" in drivers_for(with_console(load_board("pico"), "usb")).sources


@pytest.mark.slow
@pytest.mark.parametrize(("board", "toolchain"), [("pico", "gcc"), ("pico2", "zig")])
def test_the_benchmark_builds_for_the_socket_and_is_proven(board: str, toolchain: str, tmp_path: Path) -> None:
    options = Options(app="mlperf_tiny", console="usb", toolchain=require_toolchain(toolchain), inputs=1)
    result = build(str(tiny_vww(tmp_path)), board, tmp_path / "p", options)
    assert result.emulation is not None and result.emulation.equal
    names = read_image(Path(result.elf)).by_name
    assert "tml_usb_irq" in names
