"""The receiving side of serial lines as their manuals describe it, for firmware on a bare emulated core.

Registers that a model does not know read as they were last written. A model hands a byte over only where the driver has
enabled the receiver.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PERIPHERALS, PERIPHERALS_BYTES = 0x40000000, 0x20000000


@dataclass(slots=True)
class Uart:
    """One serial line: what is still to come, what was sent, and the registers as they were written."""

    base: int
    waiting: deque[int]
    memory: Any
    sent: bytearray = field(default_factory=bytearray)
    registers: dict[int, int] = field(default_factory=dict)
    arrived: int = 0

    def reg(self, offset: int) -> int:
        """A register of the peripheral as it was last written."""
        return self.registers.get(self.base + offset, 0)


Read = Callable[[Uart, int], "int | None"]
Write = Callable[[Uart, int, int], None]


def read_v1(uart: Uart, offset: int) -> int | None:
    """STM32F4 (RM0090, 30.6): SR, DR; CR1 has UE at bit 13 and RE at bit 2."""
    on = uart.reg(0x0C) & (1 << 13 | 1 << 2) == (1 << 13 | 1 << 2)
    if offset == 0x00:
        return 1 << 7 | (1 << 5 if on and uart.waiting else 0)
    return uart.waiting.popleft() if offset == 0x04 and uart.waiting else None


def write_v1(uart: Uart, offset: int, value: int) -> None:
    if offset == 0x04:
        uart.sent.append(value & 255)


def read_v2(uart: Uart, offset: int) -> int | None:
    """STM32 F7 and later (RM0432, 50.8): ISR, RDR; CR1 has UE at bit 0 and RE at bit 2."""
    on = uart.reg(0x00) & 5 == 5
    if offset == 0x1C:
        return 1 << 7 | (1 << 5 if on and uart.waiting else 0)
    return uart.waiting.popleft() if offset == 0x24 and uart.waiting else None


def write_v2(uart: Uart, offset: int, value: int) -> None:
    if offset == 0x28:
        uart.sent.append(value & 255)


def read_pl011(uart: Uart, offset: int) -> int | None:
    """PL011 (RP2040 datasheet, 4.2.8): FR, DR; CR has UARTEN at bit 0 and RXE at bit 9."""
    on = uart.reg(0x30) & 0x201 == 0x201
    if offset == 0x18:
        return 0 if on and uart.waiting else 1 << 4
    return uart.waiting.popleft() if offset == 0x00 and uart.waiting else None


def write_pl011(uart: Uart, offset: int, value: int) -> None:
    if offset == 0x00:
        uart.sent.append(value & 255)


TIMER4_COUNT, TIMER4_CAPTURE, TIMER4_CC = 0x4001B008, 0x4001B040, 0x4001B540
PPI_ENABLE, PPI_CHANNELS = 0x4001F504, 0x4001F510


def write_uarte(uart: Uart, offset: int, value: int) -> None:
    """nRF52840 (PS v1.7, 6.34, 6.16, 6.30): a transfer of TXD; a byte to RXD counts through PPI's channel."""
    if offset == 0x008 and value:
        uart.sent += uart.memory.mem_read(uart.reg(0x544), uart.reg(0x548))
        uart.registers[uart.base + 0x120] = 1
    on = uart.reg(0x500) == 8 and uart.reg(0x000) == 1 and uart.reg(0x200) & 1 << 5
    if uart.base + offset == TIMER4_CAPTURE and on and uart.waiting:
        uart.memory.mem_write(uart.reg(0x534) + uart.arrived % uart.reg(0x538), bytes([uart.waiting.popleft()]))
        enabled = uart.registers.get(PPI_ENABLE, 0)
        wired = any(
            uart.registers.get(PPI_CHANNELS + 8 * channel) == uart.base + 0x108
            and uart.registers.get(PPI_CHANNELS + 8 * channel + 4) == TIMER4_COUNT
            for channel in range(20)
            if enabled >> channel & 1
        )
        uart.arrived += wired
    if uart.base + offset == TIMER4_CAPTURE:
        uart.registers[TIMER4_CC] = uart.arrived


def read_nothing(uart: Uart, offset: int) -> int | None:
    return None


MODELS: dict[str, tuple[Read, Write]] = {
    "stm32_usart_v1": (read_v1, write_v1),
    "stm32_usart_v2": (read_v2, write_v2),
    "rp2_uart": (read_pl011, write_pl011),
    "nrf_uarte": (read_nothing, write_uarte),
}


def attach(machine: Any, uart: Uart, driver: str, always: dict[int, int]) -> None:
    """Maps the peripherals into ``machine``; ``always`` are registers with a fixed value, such as ready bits."""
    read, write = MODELS[driver]

    def on_read(_: Any, at: int, size: int, __: Any) -> int:
        address = PERIPHERALS + at
        if address in always:
            return always[address]
        value = read(uart, address - uart.base)
        return uart.registers.get(address, 0) if value is None else value

    def on_write(_: Any, at: int, size: int, value: int, __: Any) -> None:
        uart.registers[PERIPHERALS + at] = value & 0xFFFFFFFF
        write(uart, PERIPHERALS + at - uart.base, value)

    machine.mmio_map(PERIPHERALS, PERIPHERALS_BYTES, on_read, None, on_write, None)
