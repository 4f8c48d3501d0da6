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
from tinyml.firmware.parts.camera import sensor_of
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
    assert drivers.core_hz == board.clock_hz


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


@pytest.mark.parametrize("board", [b for b in list_boards() if b.camera], ids=lambda board: board.name)
def test_every_camera_has_a_driver_and_its_numbers(board: Board) -> None:
    drivers = drivers_for(board, ("camera", "leds"))
    folder = templates_dir() / "drivers"
    assert all((folder / name).is_file() for name in drivers.sources)
    defined = {name for name, _ in drivers.defines}
    used = {
        macro
        for name in drivers.sources
        for macro in re.findall(r"\b(TML_(?:CAMERA|LED)_\w+)", (folder / name).read_text())
        if f" {macro} = " not in (folder / "tml_camera.h").read_text() and f"{macro} " not in HEADER_MACROS
    }
    assert {macro for macro in used if not macro.startswith(STATUS)} <= defined
    sensor = sensor_of(board)
    assert sensor.frame_bytes == sensor.width * sensor.height * (1 if sensor.pixels == "grey" else 2)


HEADER_MACROS = "TML_CAMERA_GREY TML_CAMERA_RGB565 TML_CAMERA_H TML_LED_H TML_LED_LOW_PINS "
STATUS = ("TML_CAMERA_OK", "TML_CAMERA_END", "TML_CAMERA_ABSENT", "TML_CAMERA_TIMEOUT")


SIGNALS = ("sda", "scl", "vsync", "href", "pclk", "d0")


def test_the_camera_takes_the_serial_lines_pins_on_the_nano33ble() -> None:
    nano = load_board("nano33ble")
    plain, camera = dict(drivers_for(nano).defines), dict(drivers_for(nano, ("camera",)).defines)
    assert (plain["TML_UART_TX_PSEL"], plain["TML_UART_RX_PSEL"]) == ("35u", "42u")
    assert (camera["TML_UART_TX_PSEL"], camera["TML_UART_RX_PSEL"]) == ("33u", "40u")
    used = [value for name, value in camera.items() if name.startswith("TML_CAMERA_D") and name[-1].isdigit()]
    assert "33u" not in used and len(set(used)) == 8


@pytest.mark.parametrize(
    ("board", "change", "message"),
    [
        ("nano33ble", {"pins": ()}, "the camera's pin 'vsync' is missing"),
        ("nano33ble", {"driver": "smoke_signals"}, "camera driver 'smoke_signals'"),
        ("nano33ble", {"driver": "ov7670_dcmi"}, "the camera interface of nrf52 has no driver"),
        ("nano33ble", {"driver": "ov9655_dcmi"}, "the camera interface of nrf52 has no driver"),
        ("pico", {"pins": tuple((name, "PA1") for name in SIGNALS)}, "'PA1' is not an RP2040 or RP2350 pin"),
    ],
)
def test_a_camera_that_is_not_known(board: str, change: dict[str, object], message: str) -> None:
    loaded = load_board(board)
    assert loaded.camera is not None
    with pytest.raises(UsageError, match=message):
        drivers_for(replace(loaded, camera=replace(loaded.camera, **change)), ("camera",))  # type: ignore[arg-type]


def test_lights_whose_pins_the_camera_takes_are_left_out() -> None:
    board = load_board("nucleo_u575zi")
    alone, beside = (dict(drivers_for(board, parts).defines) for parts in (("leds",), ("camera", "leds")))
    assert alone["TML_LED_COUNT"] == "3u" and beside["TML_LED_COUNT"] == "1u"
    assert beside["TML_LED_PINS"] == "{{98u, 0u}}", "PG2"


def test_the_functions_of_the_camera_interfaces_pins() -> None:
    pins = {name: dict(drivers_for(load_board(name), ("camera",)).defines)["TML_CAMERA_DCMI_PINS"] for name in NUCLEOS}
    assert pins["nucleo_h743zi"].startswith("{{4u, 13u}, {105u, 13u}, {6u, 13u}, {38u, 13u}, {39u, 13u}")
    assert pins["nucleo_l4r5zi"].startswith(
        "{{4u, 10u}, {23u, 10u}, {6u, 4u}, {38u, 10u}, {10u, 5u}, {40u, 10u}, {41u, 4u}"
    )


NUCLEOS = ("nucleo_h743zi", "nucleo_l4r5zi", "nucleo_u575zi")


def test_other_pins_than_the_ov7675_driver_reads_are_refused() -> None:
    nano = load_board("nano33ble")
    assert nano.camera is not None
    pins = tuple((name, "P1.09" if name == "d0" else pin) for name, pin in nano.camera.pins)
    with pytest.raises(UsageError, match=r"reads data from P1\.02"):
        drivers_for(replace(nano, camera=replace(nano.camera, pins=pins)), ("camera",))


def test_a_board_without_camera_or_lights() -> None:
    board = load_board("netduinoplus2")
    with pytest.raises(UsageError, match="netduinoplus2 has no camera"):
        drivers_for(board, ("camera",))
    assert "led_none.c" in drivers_for(replace(board, leds=()), ("leds",)).sources
    assert "led_stm32.c" in drivers_for(board, ("leds",)).sources


def test_lights_by_port_and_pin() -> None:
    assert dict(drivers_for(load_board("nano33ble"), ("leds",)).defines)["TML_LED_PINS"].startswith(
        "{{13u, 0u}, {24u, 1u}"
    )
    assert (
        dict(drivers_for(load_board("nucleo_u575zi"), ("leds",)).defines)["TML_LED_PINS"]
        == "{{39u, 0u}, {23u, 0u}, {98u, 0u}}"
    )


@pytest.mark.parametrize(
    ("board", "clock_hz", "crystal_hz", "core_hz"),
    [
        ("netduinoplus2", 168_000_000, None, 16_000_000),
        ("nucleo_l4r5zi", 80_000_000, None, 4_000_000),
        ("pico", 125_000_000, None, 133_000_000),
    ],
)
def test_a_clock_that_the_driver_does_not_make(board: str, clock_hz: int, crystal_hz: int | None, core_hz: int) -> None:
    changed = replace(load_board(board), clock_hz=clock_hz, crystal_hz=crystal_hz)
    drivers = drivers_for(changed)
    assert drivers.core_hz == core_hz
    assert dict(drivers.defines)["TML_CORE_HZ"] == f"{core_hz}u"


def test_pll_factors_give_the_boards_frequencies() -> None:
    """The factors in the sources against the data sheets' formulas."""
    folder = templates_dir() / "drivers"
    for name, hz, source_mhz in (("l4", 120, 4), ("f4", 168, 1), ("f7", 216, 1)):
        text = (folder / f"clock_stm32{name}.c").read_text()
        found = re.search(r"RCC_PLLCFGR = .*?(\d+)u << (?:6|8)", text)
        assert found is not None and source_mhz * int(found[1]) / 2 == hz
    for name in ("pico", "pico2"):
        values = dict(drivers_for(load_board(name)).defines)
        dividers = re.findall(r"(\d)u << ", values["TML_RP2_PLL_DIVIDERS"])
        vco_mhz = 12 * int(values["TML_RP2_PLL_FEEDBACK"][:-1])
        assert 750 <= vco_mhz <= 1600
        assert vco_mhz * 1_000_000 / (int(dividers[0]) * int(dividers[1])) == load_board(name).clock_hz
