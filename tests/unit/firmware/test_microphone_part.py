"""The microphones of the board files: drivers, pins, interrupts, and how exactly their rates are met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyml.boards import Board, list_boards, load_board
from tinyml.errors import UsageError
from tinyml.firmware.drivers import drivers_for
from tinyml.firmware.parts.microphone import (
    RATE_TOLERANCE_PPM,
    Rate,
    check_rate,
    has_driver,
    microphone,
    microphone_ram_bytes,
    microphone_rate_hz,
)

LISTENING = [board for board in list_boards() if board.microphone is not None]


def with_pins(name: str, **pins: str) -> Board:
    board = load_board(name)
    assert board.microphone is not None
    wired = tuple((dict(board.microphone.pins) | pins).items())
    return replace(board, microphone=replace(board.microphone, pins=wired))


def test_every_family_of_the_boards_has_a_microphone() -> None:
    families = {board.family for board in LISTENING}
    assert families == {"nrf52", "stm32f4", "stm32f7", "stm32h7", "stm32l4", "stm32u5", "rp2040", "rp2350"}


@pytest.mark.parametrize("board", LISTENING, ids=lambda board: board.name)
def test_every_microphone_has_a_driver_whose_rate_is_met(board: Board) -> None:
    assert has_driver(board)
    drivers = drivers_for(board, ("microphone", "leds"))
    assert sum(name.startswith("microphone_") for name in drivers.sources) == 3, "the host's, the board's, the blocks"
    rate_hz = microphone_rate_hz(board, drivers.core_hz)
    assert rate_hz is not None and abs(rate_hz / 16_000 - 1) * 1e6 <= RATE_TOLERANCE_PPM
    assert rate_hz == 16_000 or board.name == "disco_f746ng"
    check_rate(board, drivers.core_hz, 16_000)


@pytest.mark.parametrize("board", LISTENING, ids=lambda board: board.name)
def test_no_light_and_no_console_lies_on_the_microphones_pins(board: Board) -> None:
    assert board.microphone is not None and board.console is not None
    pins = [pin for _, pin in board.microphone.pins]
    assert len(set(pins)) == len(pins)
    assert not set(pins) & {board.console.tx, board.console.rx, *(led.pin for led in board.leds)}


def test_a_front_end_of_another_rate_is_refused_with_both() -> None:
    board = load_board("nucleo_l4r5zi")
    with pytest.raises(UsageError, match=r"nucleo_l4r5zi gives 16,000 samples a second, .* takes 8,000") as caught:
        check_rate(board, 120_000_000, 8_000)
    assert caught.value.hint == "train with a front-end of 16,000 samples a second"
    check_rate(load_board("mps2-an386"), 25_000_000, 8_000)


def test_a_clock_that_pio_cannot_divide_well_is_refused() -> None:
    board = load_board("pico")
    check_rate(board, 12_000_000, 16_000)
    with pytest.raises(UsageError, match="the microphone of pico gives"):
        check_rate(board, 2_062_000, 16_000)


@pytest.mark.parametrize(
    ("board", "message"),
    [
        (with_pins("nucleo_h743zi", ws="PB9"), "the microphone's pin 'ws' is PB9, not one of PE4"),
        (with_pins("nucleo_u575zi", data="PA10"), "'data' is PA10, not one of PE6, PC3, PD6"),
        (with_pins("pico", ws="GP13"), "the microphone's ws is GP13, not the pin after sck's GP10"),
        (with_pins("pico2", data="PA1"), "'PA1' is not an RP2040 or RP2350 pin"),
    ],
)
def test_pins_that_the_driver_cannot_take(board: Board, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        microphone(board, board.clock_hz)


def test_a_pin_that_is_missing_is_named() -> None:
    board = load_board("netduinoplus2")
    assert board.microphone is not None
    bare = replace(board, microphone=replace(board.microphone, pins=board.microphone.pins[:2]))
    with pytest.raises(UsageError, match="the microphone's pin 'data' is missing"):
        microphone(bare, board.clock_hz)


def test_ram_that_dma_does_not_reach_is_refused() -> None:
    board = load_board("nucleo_h743zi")
    regions = sorted(board.regions, key=lambda region: region.name != "DTCM")
    with pytest.raises(UsageError, match="the microphone's buffers lie in DTCM, which DMA does not reach"):
        microphone(replace(board, regions=tuple(regions)), board.clock_hz)


def test_interrupts_and_buffers() -> None:
    irqs = {board.name: dict(microphone(board, board.clock_hz).defines)["TML_MICROPHONE_IRQ"] for board in LISTENING}
    assert irqs == {
        "nano33ble": "29",  # PDM
        "disco_f746ng": "70",  # DMA2 stream 7
        "netduinoplus2": "14",  # DMA1 stream 3
        "nucleo_h743zi": "11",  # DMA1 stream 0
        "nucleo_l4r5zi": "12",  # DMA1 channel 2
        "nucleo_u575zi": "30",  # GPDMA1 channel 1
        "pico": "11",  # DMA_IRQ_0
        "pico2": "10",
    }
    assert {board.name: microphone_ram_bytes(board) for board in LISTENING if board.core == "cortex-m4"} == {
        "nano33ble": 0,
        "netduinoplus2": 2048,
        "nucleo_l4r5zi": 1024,
    }
    assert microphone_ram_bytes(load_board("mps2-an386")) == 0 and microphone_rate_hz(load_board("microbit"), 1) is None


def test_a_rates_numbers_are_those_that_c_takes() -> None:
    rate = Rate(1_000_000, 344, (7, 12, 256))
    assert round(rate.hz) == 15_997
    assert rate.defines == {
        "TML_MICROPHONE_PLL_N": "344u", "TML_MICROPHONE_PLL_DIVIDER": "7u", "TML_MICROPHONE_DIVIDER": "12u",
    }  # fmt: skip
