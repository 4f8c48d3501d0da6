"""The lights of the board file as the LED driver of the family takes them."""

from __future__ import annotations

from collections.abc import Callable

from tinyml.boards import Board
from tinyml.firmware.parts.base import Part, nrf_pin, port_defines, rp2_pin, stm32_pin, unknown

_NRF5 = ("led_nrf5.c", nrf_pin)
_STM32 = ("led_stm32.c", stm32_pin)
_FAMILIES: dict[str, tuple[str, Callable[[Board, str], int]]] = {
    "nrf51": _NRF5,
    "nrf52": _NRF5,
    "rp2040": ("led_rp2.c", rp2_pin),
    "rp2350": ("led_rp2.c", rp2_pin),
    "stm32f4": _STM32,
    "stm32f7": _STM32,
    "stm32h7": _STM32,
    "stm32l4": _STM32,
    "stm32u5": _STM32,
}


def leds(board: Board, core_hz: int) -> Part:
    """The LED driver of ``board``; one that does nothing where the board has no light or the family no driver.

    Raises UsageError where a pin is none of the family's, or one has to be kept low by a driver that can't.
    """
    if board.family not in _FAMILIES or not board.leds:
        return Part(("led_none.c",), ())
    source, number = _FAMILIES[board.family]
    pins = ", ".join(f"{{{number(board, led.pin)}u, {int(led.active_low)}u}}" for led in board.leds)
    own = {"TML_LED_COUNT": f"{len(board.leds)}u", "TML_LED_PINS": f"{{{pins}}}"}
    low = [led.low for led in board.leds if led.low is not None]
    if low and source != _NRF5[0]:
        raise unknown(board, f"a light of {board.family} has no pin that is kept low (low = {low[0]!r})")
    if low:
        own["TML_LED_LOW_PINS"] = f"{{{', '.join(f'{number(board, pin)}u' for pin in low)}}}"
    return Part((source,), tuple((own | port_defines(board)).items()))
