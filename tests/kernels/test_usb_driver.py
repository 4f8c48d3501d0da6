"""The USB consoles of the RP2040, RP2350 and nRF52840 against hosts in Python: enumeration and bytes both ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernels import usb_hosts
from tests.kernels.usb_hosts import (
    POWER_USB,
    RESET_INT,
    ROM_TABLE,
    SETUP_INT,
    STATUS_INT,
    USB,
    USBD,
    Host,
    NrfHost,
    Rp2Host,
)
from tests.support.tiny_vww import tiny_vww
from tests.support.trivial_network import require_toolchain
from tinyml.boards import Board, load_board, with_console
from tinyml.errors import UsageError
from tinyml.firmware.drivers import drivers_for
from tinyml.firmware.image import read_image
from tinyml.firmware.stack import worst_case_stack
from tinyml.pipeline import Options, build

SET_ADDRESS, SET_CONFIGURATION = bytes([0, 5, 7, 0, 0, 0, 0, 0]), bytes([0, 9, 1, 0, 0, 0, 0, 0])
DTR, HANG_UP = bytes([0x21, 0x22, 1, 0, 0, 0, 0, 0]), bytes([0x21, 0x22, 0, 0, 0, 0, 0, 0])
SET_CODING, GET_CODING = bytes([0x21, 0x20, 0, 0, 0, 0, 7, 0]), bytes([0xA1, 0x21, 0, 0, 0, 0, 7, 0])
IDS = {"pico": 0x2E8A000A, "pico2": 0x2E8A0009, "nano33ble": 0x2341805A}


@pytest.fixture(params=IDS)
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    kind = NrfHost if request.param == "nano33ble" else Rp2Host
    return kind(request.param, tmp_path, monkeypatch)


def enumerated(host: Host) -> Host:
    host.core.run()
    host.bus_reset()
    assert host.tell(SET_ADDRESS)
    if isinstance(host, Rp2Host):
        assert host.core.registers[USB] == 7, "the address takes effect behind its status"
    assert host.tell(SET_CONFIGURATION)
    return host


def coding(baud: int) -> bytes:
    return baud.to_bytes(4, "little") + bytes([0, 0, 8])


@pytest.mark.parametrize("board", ["pico", "pico2"])
def test_the_rp2s_controller_is_started(board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Rp2Host(board, tmp_path, monkeypatch)
    host.core.run()
    registers = host.core.registers
    assert registers[USB + 0x40] == 1 and registers[USB + 0x74] == 9 and registers[USB + 0x78] == 12
    assert registers[USB + 0x4C] == 1 << 29 | 1 << 16, "pulled up"
    assert registers[USB + 0x90] == STATUS_INT | RESET_INT | SETUP_INT
    assert registers[0xE000E100] in (1 << 5, 1 << 14)
    pll = 0x4002C000 if board == "pico" else 0x40058000
    oscillator_mhz, dividers = 12 * registers[pll + 0x8], registers[pll + 0xC]
    assert 750 <= oscillator_mhz <= 1600, "what the PLL's oscillator can do (RP2040 datasheet, 2.18.2; RP2350, 8.6.3)"
    assert oscillator_mhz / (dividers >> 16 & 7) / (dividers >> 12 & 7) == 48


@pytest.fixture
def nano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NrfHost:
    return NrfHost("nano33ble", tmp_path, monkeypatch)


def test_the_nrfs_controller_is_started(nano: NrfHost) -> None:
    nano.core.run()
    order = [address for address, _ in nano.core.writes]
    assert nano.core.registers[USBD + 0x500] == 1 and nano.core.registers[USBD + 0x504] == 1
    assert nano.core.writes[-2:] == [(0xE000E104, 1 << 7), (USBD + 0x504, 1)], "pulled up last"
    assert set(nano.hidden.values()) == {0} and not nano.unlocked, "the errata's registers are as before"
    assert order.index(0x4006ED14) < len(order) - 1 - order[::-1].index(USBD + 0x500)
    assert nano.core.registers[USBD + 0x304] == 1 << 0 | 1 << 10 | 1 << 23 | 1 << 24


def test_without_a_cable_nothing_is_started_and_with_one_later_it_is(nano: NrfHost) -> None:
    nano.supply = 0
    nano.core.run()
    nano.say(b"nobody\n")
    assert nano.core.registers.get(USBD + 0x504, 0) == 0 and nano.core.variable("tml_slower_hz") == 0
    nano.supply = 3
    assert nano.read() == 0xFFFFFFFF
    assert nano.core.registers[USBD + 0x504] == 1
    assert enumerated(nano).tell(DTR)
    nano.say(b"hello\n")
    assert nano.fetch() == b"hello\n"
    nano.supply = 0
    nano.say(b"lost\n")
    assert nano.core.registers[USBD + 0x504] == 0 and nano.core.registers[USBD + 0x500] == 0
    nano.supply = 3
    nano.say(b"the port is not open yet\n")
    assert nano.core.registers[USBD + 0x504] == 1 and nano.fetch() is None


def test_a_controller_that_does_not_start_is_left_alone(nano: NrfHost) -> None:
    nano.core.on_read[USBD + 0x400] = lambda _: 0
    nano.core.run()
    assert nano.core.registers[USBD + 0x500] == 0
    tries = nano.core.writes.count((USBD + 0x500, 1))
    assert nano.read() == 0xFFFFFFFF
    assert nano.core.writes.count((USBD + 0x500, 1)) == tries == 1, "once for each time it is plugged in"
    assert POWER_USB not in nano.core.registers


def test_the_host_learns_what_it_is(host: Host, request: pytest.FixtureRequest) -> None:
    enumerated(host)
    device = host.ask(bytes([0x80, 6, 0, 1, 0, 0, 18, 0]))
    assert device is not None and len(device) == 18
    shown = int.from_bytes(device[8:10], "little") << 16 | int.from_bytes(device[10:12], "little")
    assert shown == IDS[request.node.callspec.params["host"]]
    assert host.ask(bytes([0x80, 6, 0, 1, 0, 0, 8, 0])) == device[:8]
    configuration = host.ask(bytes([0x80, 6, 0, 2, 0, 0, 255, 0]))
    assert configuration is not None and len(configuration) == 75 == int.from_bytes(configuration[2:4], "little")
    at, kinds = 0, []
    while at < len(configuration):
        kinds.append(configuration[at + 1])
        at += configuration[at]
    assert at == 75 and kinds == [2, 11, 4, 0x24, 0x24, 0x24, 0x24, 5, 4, 5, 5]
    assert host.ask(bytes([0x80, 6, 0, 2, 0, 0, 64, 0])) == configuration[:64], "a whole packet and nothing behind it"
    for index in (1, 2):
        text = host.ask(bytes([0x80, 6, index, 3, 9, 4, 255, 0]))
        assert text is not None and text[2:].decode("utf-16-le") in ("tinyml", "console")
    assert host.ask(bytes([0x80, 6, 0, 6, 0, 0, 10, 0])) is None, "no other speed"
    assert not host.tell(bytes([0x21, 0x77, 0, 0, 0, 0, 0, 0]))


def test_bytes_go_both_ways(host: Host) -> None:
    enumerated(host)
    host.say(b"nobody listens\n")
    assert host.fetch() is None
    assert host.tell(DTR)
    for text in (b"m-ready\r\n", b"\r\n", b"x" * 62 + b"\n"):
        host.say(text)
        assert host.fetch() == text and host.fetch() is None
    assert host.read() == 0xFFFFFFFF
    for text in (b"db load 16%", bytes(range(200, 250)), b""):
        assert host.send(text)
        assert bytes(host.read() for _ in text) == text
    assert host.read() == 0xFFFFFFFF


def test_a_long_line_goes_in_packets_that_end_the_hosts_read(host: Host) -> None:
    assert enumerated(host).tell(DTR)
    host.say(b"y" * 63)
    assert host.fetch() == b"y" * 63
    host.say(b"z" * 20)
    assert host.fetch() is None, "it waits for the line's end"
    assert host.read() == 0xFFFFFFFF and host.fetch() == b"z" * 20, "or until the firmware asks for an answer"


def test_the_host_waits_while_nothing_is_read(host: Host) -> None:
    enumerated(host)
    blocks = [bytes([n]) * 64 for n in range(7)]
    sent = [host.send(block) for block in blocks]
    kept = sent.count(True)
    assert kept == (5 if isinstance(host, NrfHost) else 4), "256 bytes, and a packet in the nRF's controller"
    assert sent == [True] * kept + [False] * (7 - kept)
    assert bytes(host.read() for _ in range(64 * kept)) == b"".join(blocks[:kept])
    assert host.send(blocks[kept]) and host.read() == kept


def test_a_host_that_reads_no_more_is_waited_for_once(host: Host) -> None:
    """The port is open, but its program has stopped: the first packet waits there, the next is waited for in vain."""
    assert enumerated(host).tell(DTR)
    host.say(b"waits\n")
    host.say(b"lost\n")
    host.core.machine.write("text", b"lost at once\n")
    host.core.machine.write("wrote", (13).to_bytes(4, "little"))
    assert host.core.machine.count("say") < 10_000
    assert host.fetch() == b"waits\n"
    host.say(b"heard again\n")
    assert host.fetch() == b"heard again\n"


def test_a_bus_reset_ends_the_conversation(host: Host) -> None:
    assert enumerated(host).tell(DTR)
    host.say(b"taken by nobody\n")
    host.bus_reset()
    assert host.tell(SET_CONFIGURATION) and host.tell(DTR)
    host.say(b"anew\n")
    assert host.fetch() == b"anew\n"


def test_the_line_coding_is_kept_and_told(host: Host) -> None:
    enumerated(host)
    assert host.tell(SET_CODING, coding(9600))
    assert host.ask(GET_CODING) == coding(9600)
    assert host.tell(SET_CODING, coding(1200)), "no touch without the line hung up"
    assert host.tell(HANG_UP), "nor where it was not open"
    assert host.ask(GET_CODING) == coding(1200)


def test_1200_baud_and_hanging_up_lead_to_the_nanos_bootloader(nano: NrfHost) -> None:
    assert enumerated(nano).tell(DTR)
    assert nano.tell(SET_CODING, coding(115200)) and nano.tell(HANG_UP) and nano.tell(DTR)
    assert nano.tell(SET_CODING, coding(1200))
    assert 0x4000051C not in nano.core.registers

    def reset(_address: int, value: int) -> None:
        assert value == 0x05FA0004
        nano.core.machine._uc.emu_stop()

    nano.core.on_write[0xE000ED0C] = reset
    assert nano.tell(HANG_UP), "with its status"
    assert nano.core.registers[0x4000051C] == 0xB0 and nano.core.registers[USBD + 0x504] == 0
    assert nano.core.writes[-2:] == [(0x4000051C, 0xB0), (0xE000ED0C, 0x05FA0004)]


def test_a_board_without_a_bootloader_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_bootloader(board: Board, *arguments: str) -> Board:
        made = with_console(board, *arguments)
        assert made.console is not None
        return replace(made, console=replace(made.console, bootloader_magic=None))

    monkeypatch.setattr(usb_hosts, "with_console", without_bootloader)
    host = enumerated(NrfHost("nano33ble", tmp_path, monkeypatch))
    assert host.tell(DTR) and host.tell(SET_CODING, coding(1200)) and host.tell(HANG_UP)
    assert 0xE000ED0C not in host.core.registers and 0x4000051C not in host.core.registers
    assert host.tell(DTR)
    host.say(b"still there\n")
    assert host.fetch() == b"still there\n"


@pytest.mark.parametrize(
    ("board", "asked", "told"),
    [
        ("pico", [ROM_TABLE, int.from_bytes(b"UB", "little")], [0, 0]),
        ("pico2", [int.from_bytes(b"RB", "little"), 0x4], [0x102, 10, 0, 0]),
    ],
)
def test_1200_baud_and_hanging_up_lead_to_the_rp2s_boot_rom(
    board: str, asked: list[int], told: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = enumerated(Rp2Host(board, tmp_path, monkeypatch))
    assert host.tell(DTR) and host.tell(SET_CODING, coding(115200)) and host.tell(HANG_UP) and host.tell(DTR)
    assert host.tell(SET_CODING, coding(1200))
    assert host.rom_calls == ([0, 0], [0, 0, 0, 0])
    assert host.tell(HANG_UP), "with its status"
    assert host.rom_calls[0] == asked and host.rom_calls[1][: len(told)] == told


def test_which_applications_print_on_the_socket() -> None:
    nano, pico = load_board("nano33ble"), load_board("pico")
    lines = {app: with_console(nano, "auto", app).console for app in ("kws", "vww", "mlperf_tiny", "benchmark")}
    assert [line.driver for line in lines.values() if line] == ["nrf_usbd", "nrf_usbd", "nrf_usbd", "nrf_uarte"]
    assert with_console(nano, "board", "kws") is nano and with_console(pico, "auto", "kws") is pico
    sources = drivers_for(with_console(pico, "usb", "kws")).sources
    assert "uart_rp2_usb.c" in sources and "tml_usb_cdc.c" in sources
    with pytest.raises(UsageError, match="the USB socket of microbit has no driver"):
        with_console(load_board("microbit"), "usb", "kws")


@pytest.mark.slow
@pytest.mark.parametrize(("board", "toolchain"), [("pico", "gcc"), ("pico2", "zig"), ("nano33ble", "gcc")])
def test_the_benchmark_builds_for_the_socket_and_is_proven(board: str, toolchain: str, tmp_path: Path) -> None:
    options = Options(app="mlperf_tiny", console="usb", toolchain=require_toolchain(toolchain), inputs=1)
    result = build(str(tiny_vww(tmp_path)), board, tmp_path / "p", options)
    assert result.emulation is not None and result.emulation.equal
    image = read_image(Path(result.elf))
    assert "tml_usb_irq" in image.by_name
    calls_the_rom = () if board == "nano33ble" else ("tml_usb_enter_bootloader",)
    assert worst_case_stack(image).indirect == calls_the_rom, "the stack's bound counts the interrupt, too"
