"""The microphone of the board file: which driver serves it, and the pins and registers it takes."""

from __future__ import annotations

from collections.abc import Callable

from tinyml.boards import Board
from tinyml.firmware.parts.base import Part, nrf_pin, port_defines, stm32_pin, unknown

HOST_SOURCES = ("tml_audio.c", "microphone_semihosting.c")
"""An emulated board, or one under a debugger, hears its host."""


def _nrf_pdm(board: Board, core_hz: int) -> dict[str, str]:
    assert board.microphone is not None
    pins = dict(board.microphone.pins)
    for name in ("clock", "data"):
        if name not in pins:
            raise unknown(board, f"the microphone's pin {name!r} is missing")
    wired = {f"TML_MICROPHONE_{name.upper()}": f"{nrf_pin(board, pin)}u" for name, pin in pins.items()}
    return wired | {"TML_MICROPHONE_IRQ": "29"}


def _stm32f7_sai(board: Board, core_hz: int) -> dict[str, str]:
    assert board.microphone is not None
    pins = dict(board.microphone.pins)
    for name in ("sai_mclk", "sai_sck", "sai_fs", "sai_data_in", "i2c_scl", "i2c_sda"):
        if name not in pins:
            raise unknown(board, f"the microphone's pin {name!r} is missing")
    wired = {f"TML_MICROPHONE_{name.upper()}": f"{stm32_pin(board, pin)}u" for name, pin in pins.items()}
    return wired | port_defines(board) | {"TML_MICROPHONE_IRQ": "70"}


_DRIVERS: dict[tuple[str, str], tuple[str, Callable[[Board, int], dict[str, str]]]] = {
    ("nrf52", "pdm"): ("microphone_nrf_pdm.c", _nrf_pdm),
    ("stm32f7", "pdm"): ("microphone_stm32f7_sai.c", _stm32f7_sai),
}
"""Family and kind of microphone → the source and what it is compiled with."""


def has_driver(board: Board) -> bool:
    """Whether ``board`` has a microphone that a driver serves; otherwise sound comes from a semihosting host alone."""
    return board.microphone is not None and (board.family, board.microphone.kind) in _DRIVERS


def microphone(board: Board, core_hz: int) -> Part:
    """The driver of ``board``'s microphone; one that has no sound where there is none."""
    if board.microphone is None or not has_driver(board):
        return Part((*HOST_SOURCES, "microphone_none.c"), ())
    source, defines = _DRIVERS[board.family, board.microphone.kind]
    return Part((*HOST_SOURCES, source), tuple(defines(board, core_hz).items()))
