"""Which drivers a board gets, and the numbers they are compiled with."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from tinyml.boards import Board, list_boards, load_board
from tinyml.errors import UsageError
from tinyml.firmware.drivers import drivers_for
from tinyml.firmware.memory_map import memory_map
from tinyml.paths import templates_dir


@pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
def test_every_board_has_one_of_each_driver(board: Board) -> None:
    drivers = drivers_for(board)
    folder = templates_dir() / "drivers"
    assert all((folder / name).is_file() for name in drivers.sources)
    for kind in ("uart_", "clock_", "cycles_"):
        assert sum(name.startswith(kind) for name in drivers.sources) == 1
    defined = {name for name, _ in drivers.defines}
    used = {
        macro
        for name in drivers.sources
        for macro in re.findall(r"\b(TML_(?:UART|RP2|CORE|HAS)_\w+)", (folder / name).read_text())
    }
    assert used <= defined
    assert 0 < drivers.core_hz <= board.clock_hz


def defines(board: str) -> dict[str, str]:
    return dict(drivers_for(load_board(board)).defines)


def test_numbers_of_the_reference_manuals() -> None:
    l4 = defines("nucleo_l4r5zi")
    assert l4["TML_UART_BASE"] == "0x40008000u" and l4["TML_UART_CLOCK_SCALE"] == "256u"
    assert l4["TML_UART_TX_GPIO_BASE"] == "0x48001800u" and l4["TML_STM32_VDDIO2_BIT"] == "9u"
    h7 = defines("nucleo_h743zi")
    assert h7["TML_UART_TX_GPIO_BASE"] == "0x58020c00u" and h7["TML_STM32_UART_CLOCK_BIT"] == "18u"
    nano = defines("nano33ble")
    assert nano["TML_UART_TX_PSEL"] == "35u" and nano["TML_UART_TX_GPIO_BASE"] == "0x50000300u"
    assert defines("microbit")["TML_UART_BAUDRATE_REGISTER"] == "0x1d7e000u"


@pytest.mark.parametrize(
    ("board", "change", "message"),
    [
        ("nano33ble", {"baud": 12345}, "baud 12345"),
        ("nano33ble", {"tx": "PA9"}, "'PA9' is not an nRF pin"),
        ("nucleo_h743zi", {"instance": "USART99"}, "USART99"),
        ("nucleo_h743zi", {"tx": "PA16"}, "'PA16' is not an STM32 pin"),
        ("pico", {"tx": "PA9"}, "PA9"),
        ("pico", {"driver": "smoke_signals"}, "smoke_signals"),
    ],
)
def test_a_console_that_is_not_known(board: str, change: dict[str, object], message: str) -> None:
    loaded = load_board(board)
    assert loaded.console is not None
    with pytest.raises(UsageError, match=message) as caught:
        drivers_for(replace(loaded, console=replace(loaded.console, **change)))  # type: ignore[arg-type]
    assert caught.value.message.startswith(f"{board}.toml")


def test_a_board_without_console_prints_to_its_host_only() -> None:
    assert "uart_none.c" in drivers_for(replace(load_board("pico"), console=None)).sources


def test_the_boot_stage_has_the_checksum_that_the_boot_rom_wants() -> None:
    """RP2040 datasheet, 2.8.1.3.1: CRC-32, polynomial 0x04C11DB7, over 252 bytes, not reflected, not inverted."""
    source = (templates_dir() / "drivers" / "boot2_rp2040.c").read_text()
    body = re.sub(r"/\*.*?\*/", "", source[source.index("{") :], flags=re.DOTALL)
    words = [int(word, 16) for word in re.findall(r"\b0x([0-9A-F]{8})u,", body)]
    content = b"".join(word.to_bytes(4, "little") for word in words[:-1]).ljust(252, b"\0")
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    assert crc == words[-1]


def test_memory_maps() -> None:
    pico = load_board("pico")
    layout = memory_map(pico)
    assert layout.boot2 is not None and (layout.boot2.origin, layout.boot2.size_bytes) == (0x10000000, 256)
    assert layout.flash.origin == 0x10000100
    moved = memory_map(pico, pico.emulator("qemu"))
    assert (moved.flash.origin, moved.ram.origin, moved.boot2) == (0, 0x20000000, None)
    assert moved.flash.size_bytes == layout.flash.size_bytes
    sections = {region.section for region in memory_map(load_board("nucleo_h743zi")).extra}
    assert sections >= {"region_dtcm", "region_itcm"}
    board = load_board("nucleo_h743zi")
    moved = memory_map(board, board.emulator("qemu"))
    assert {region.section for region in moved.extra} == sections, "in its emulator they lie behind the primary one"
    ends = [(region.origin, region.origin + region.size_bytes) for region in (moved.ram, *moved.extra)]
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))
    assert memory_map(load_board("nano33ble")).flash.origin == 0x10000
