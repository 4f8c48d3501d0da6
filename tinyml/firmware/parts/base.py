"""What every part gives, and how the families name pins and keep their ports."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinyml.boards import Board
from tinyml.errors import UsageError


@dataclass(frozen=True, slots=True)
class Part:
    """Sources in ``firmware_templates/drivers/`` and what ``board_config.h`` defines for them."""

    sources: tuple[str, ...]
    defines: tuple[tuple[str, str], ...]


def register(value: int) -> str:
    """A 32-bit number as the drivers' C has it."""
    return f"0x{value:x}u"


def unknown(board: Board, what: str) -> UsageError:
    """The error for something in the board file that no driver knows."""
    return UsageError(f"{board.path.name}: {what}", hint="boards/README.md lists the drivers and what each knows")


def nrf_pin(board: Board, text: str) -> int:
    """``P1.03`` as the number in PSEL registers, 32 for each port."""
    match = re.fullmatch(r"P([01])\.(\d{2})", text)
    if match is None or int(match[2]) > 31:
        raise unknown(board, f"{text!r} is not an nRF pin such as P0.06")
    return 32 * int(match[1]) + int(match[2])


def stm32_pin(board: Board, text: str) -> int:
    """``PB7`` as 16 times the port plus the pin."""
    match = re.fullmatch(r"P([A-K])(\d{1,2})", text)
    if match is None or int(match[2]) > 15:
        raise unknown(board, f"{text!r} is not an STM32 pin such as PA9")
    return 16 * (ord(match[1]) - ord("A")) + int(match[2])


def rp2_pin(board: Board, text: str) -> int:
    """``GP25`` as its number."""
    match = re.fullmatch(r"GP(\d{1,2})", text)
    if match is None or int(match[1]) > 29:
        raise unknown(board, f"{text!r} is not an RP2040 or RP2350 pin such as GP25")
    return int(match[1])


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where a family's GPIO ports are: the first, the step to the next, and the register that clocks them (STM32).

    ``io2`` are the register and bit that clock PWR and those that declare port G's supply valid.
    """

    base: int
    step: int
    clock_register: int | None
    source: str
    io2: tuple[int, int, int, int] | None = None


PORTS = {
    "nrf51": _Ports(0x50000000, 0, None, "nRF51 Series Reference Manual v3.0, chapter 14"),
    "nrf52": _Ports(0x50000000, 0x300, None, "nRF52840 Product Specification v1.7, section 6.9"),
    "stm32f4": _Ports(0x40020000, 0x400, 0x40023830, "RM0090, sections 2.3, 7.3.10 and 8.4"),
    "stm32f7": _Ports(0x40020000, 0x400, 0x40023830, "RM0385, sections 2.2.2, 5.3.10 and 6.4"),
    "stm32h7": _Ports(0x58020000, 0x400, 0x580244E0, "RM0433, sections 2.3.2, 8.7.43 and 11.4"),
    "stm32l4": _Ports(
        0x48000000, 0x400, 0x4002104C, "RM0432, sections 2.2.2, 5.4.2 (PWR_CR2.IOSV), 6.4.17 and 8.4",
        (0x40021058, 28, 0x40007004, 9),
    ),
    "stm32u5": _Ports(
        0x42020000, 0x400, 0x46020C8C, "RM0456, sections 2.3.2, 10.10.5 (PWR_SVMCR.IO2SV), 11.8.26 and 13.4",
        (0x46020C94, 2, 0x46020810, 29),
    ),
}  # fmt: skip


def port_defines(board: Board) -> dict[str, str]:
    """The macros of the family's GPIO ports, the same for every part; none where the driver knows them itself."""
    ports = PORTS.get(board.family)
    if ports is None:
        return {}
    values = {"TML_GPIO_BASE": register(ports.base), "TML_GPIO_STEP": register(ports.step)}
    if ports.clock_register is not None:
        values["TML_STM32_GPIO_CLOCK_REGISTER"] = register(ports.clock_register)
    if ports.io2 is not None:
        clock, clock_bit, supply, bit = ports.io2
        values |= {
            "TML_STM32_VDDIO2_CLOCK_REGISTER": register(clock), "TML_STM32_VDDIO2_CLOCK_BIT": f"{clock_bit}u",
            "TML_STM32_VDDIO2_PORT_REGISTER": register(supply), "TML_STM32_VDDIO2_PORT_BIT": f"{bit}u",
        }  # fmt: skip
    return values
