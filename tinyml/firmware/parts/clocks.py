"""The clock driver of a family, what the core runs at after it, and the clock of the console's UART."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.boards import Board


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock's source, what it is compiled with, and the core's frequency.

    ``uart_hz`` is the UART's clock as C text; ``note`` says where the core's comes from.
    """

    source: str
    defines: tuple[tuple[str, str], ...]
    core_hz: int
    note: str
    uart_hz: str


@dataclass(frozen=True, slots=True)
class _Family:
    """One MCU family: ``full_hz`` by ``source`` from ``oscillator``, ``reset_hz`` without it.

    ``uart_hz`` is for a UART on an oscillator of its own; None where it runs from the bus, see :func:`_f4_uart`.
    ``only`` says that the driver has to run at any rate, because the UART needs what it starts.
    """

    source: str
    full_hz: int
    reset_hz: int
    oscillator: str
    uart_hz: int | None
    needs_crystal: bool = False
    has_caches: bool = False
    only: bool = False


_NRF5 = "the core's only frequency, from the crystal"
_RP2_NOTE = "the PLL, from the 12 MHz crystal"
_FAMILIES = {
    "nrf51": _Family("clock_nrf5.c", 16_000_000, 16_000_000, _NRF5, None, only=True),
    "nrf52": _Family("clock_nrf5.c", 64_000_000, 64_000_000, _NRF5, None, only=True),
    "stm32f4": _Family("clock_stm32f4.c", 168_000_000, 16_000_000, "the PLL, from the crystal", None, True),
    "stm32f7": _Family(
        "clock_stm32f7.c", 216_000_000, 16_000_000, "the PLL in over-drive, from the crystal", 16_000_000, True, True
    ),
    "stm32h7": _Family(
        "clock_stm32h7.c", 480_000_000, 64_000_000, "the PLL, from HSI (400 MHz on silicon revision Y)", 64_000_000,
        has_caches=True,
    ),
    "stm32l4": _Family(
        "clock_stm32l4.c", 120_000_000, 4_000_000, "the PLL in boost mode, from MSI", 16_000_000
    ),
    "stm32u5": _Family("clock_stm32u5.c", 160_000_000, 4_000_000, "the PLL, from MSI", 16_000_000),
    "rp2040": _Family("clock_rp2.c", 133_000_000, 12_000_000, _RP2_NOTE, 12_000_000, only=True),
    "rp2350": _Family("clock_rp2.c", 150_000_000, 12_000_000, _RP2_NOTE, 12_000_000, only=True),
}  # fmt: skip

_RP2 = {
    "rp2040": {
        "TML_RP2_PLL_SYS_BASE": "0x40028000u", "TML_RP2_PLL_SYS_RESET": "0x1000u",
        "TML_RP2_PLL_FEEDBACK": "133u", "TML_RP2_PLL_DIVIDERS": "(6u << 16 | 2u << 12)", "TML_RP2_QMI_TIMING": "0",
    },
    "rp2350": {
        "TML_RP2_PLL_SYS_BASE": "0x40050000u", "TML_RP2_PLL_SYS_RESET": "0x4000u",
        "TML_RP2_PLL_FEEDBACK": "125u", "TML_RP2_PLL_DIVIDERS": "(5u << 16 | 2u << 12)",
        "TML_RP2_QMI_TIMING": "0x400D000Cu",
    },
}  # fmt: skip
"""Registers and factors: 12 MHz x 133 / 12 and 12 MHz x 125 / 10."""


def clock_for(board: Board, console_instance: str = "") -> Clock:
    """The clock of ``board``: its full speed where the family's driver makes it, the reset clock otherwise."""
    family = _FAMILIES.get(board.family)
    if family is None:
        return Clock("clock_reset.c", (), board.clock_hz, "the clock the core has after reset", f"{board.clock_hz}u")
    makes_it = board.clock_hz == family.full_hz and not (family.needs_crystal and board.crystal_hz is None)
    if not makes_it and not family.only:
        known = f"the driver makes {family.full_hz // 1_000_000} MHz only"
        note = f"the clock the core has after reset: {known}" + (" from a crystal" if family.needs_crystal else "")
        return Clock("clock_reset.c", (), family.reset_hz, note, f"{family.reset_hz}u")
    defines = dict(_RP2.get(board.family, {}))
    if family.needs_crystal:
        assert board.crystal_hz is not None
        defines["TML_HSE_MHZ"] = f"{board.crystal_hz // 1_000_000}u"
    if family.has_caches:
        defines["TML_HAS_CACHES"] = "1"
    uart = _f4_uart(family, console_instance) if family.uart_hz is None else f"{family.uart_hz}u"
    return Clock(family.source, tuple(defines.items()), family.full_hz, family.oscillator, uart)


def _f4_uart(family: _Family, instance: str) -> str:
    """A UART on the bus: USART1 and USART6 at half the core's clock, the others at a quarter (RM0090, section 7.2)."""
    bus_hz = family.full_hz // (2 if instance in ("USART1", "USART6") else 4)
    return f"(tml_core_hz() == TML_CORE_HZ ? {bus_hz}u : {family.reset_hz}u)"
