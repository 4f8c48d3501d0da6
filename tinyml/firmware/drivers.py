"""Which driver sources a board needs and the numbers they are compiled with, from the board file and the MCU family.

The register addresses are those of the families' reference manuals, named beside each table. ``core_hz`` is what the
core really runs at, the board's full speed where the clock driver makes it (:mod:`tinyml.firmware.parts.clocks`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyml.boards import Board, Console
from tinyml.errors import UsageError
from tinyml.firmware.parts import part_drivers
from tinyml.firmware.parts.clocks import Clock, clock_for

_COMMON = ("tml_startup.c", "tml_semihosting.c", "tml_console.c", "tml_stack.c")
_SYSTICK = "tml_systick.c"
_USB_LINE = "tml_usb_cdc.c"


@dataclass(frozen=True, slots=True)
class Drivers:
    """The sources in ``firmware_templates/drivers/``, what ``board_config.h`` defines, and the core's clock."""

    sources: tuple[str, ...]
    defines: tuple[tuple[str, str], ...]
    core_hz: int
    clock_note: str


@dataclass(frozen=True, slots=True)
class _Stm32:
    """Where an STM32 family keeps GPIO ports and clock enables; ``uarts``: instance to (enable register, bit)."""

    manual: str
    gpio_base: int
    gpio_clock_register: int
    uarts: dict[str, tuple[int, int]]
    functions: dict[str, int]


_STM32 = {
    "stm32f4": _Stm32(
        "RM0090, sections 2.3, 7.3 and 8.4; DS8626, table 9",
        0x40020000,
        0x40023830,
        {"USART1": (0x40023844, 4), "USART2": (0x40023840, 17), "USART3": (0x40023840, 18), "USART6": (0x40023844, 5)},
        {"USART6": 8},
    ),
    "stm32f7": _Stm32(
        "RM0385, sections 2.2, 5.3 and 6.4",
        0x40020000,
        0x40023830,
        {"USART1": (0x40023844, 4), "USART2": (0x40023840, 17), "USART3": (0x40023840, 18), "USART6": (0x40023844, 5)},
        {"USART6": 8},
    ),
    "stm32h7": _Stm32(
        "RM0433, sections 2.3, 8.7 and 11.4",
        0x58020000,
        0x580244E0,
        {"USART1": (0x580244F0, 4), "USART2": (0x580244E8, 17), "USART3": (0x580244E8, 18)},
        {},
    ),
    "stm32l4": _Stm32(
        "RM0432, sections 2.2, 6.4 and 8.4",
        0x48000000,
        0x4002104C,
        {
            "USART1": (0x40021060, 14),
            "USART2": (0x40021058, 17),
            "USART3": (0x40021058, 18),
            "LPUART1": (0x4002105C, 0),
        },
        {"LPUART1": 8},
    ),
    "stm32u5": _Stm32(
        "RM0456, sections 2.3, 11.8 and 13.6",
        0x42020000,
        0x46020C8C,
        {
            "USART1": (0x46020CA4, 14),
            "USART2": (0x46020C9C, 17),
            "USART3": (0x46020C9C, 18),
            "LPUART1": (0x46020CA8, 6),
        },
        {"LPUART1": 8},
    ),
}

_RP2 = {
    "rp2040": {
        "TML_RP2_XOSC_BASE": 0x40024000,
        "TML_RP2_CLOCKS_BASE": 0x40008000,
        "TML_RP2_RESETS_BASE": 0x4000C000,
        "TML_RP2_IO_BANK0_BASE": 0x40014000,
        "TML_RP2_PADS_BANK0_BASE": 0x4001C000,
        "TML_RP2_PINS_RESET": 1 << 5 | 1 << 8,
        "TML_RP2_UART0_RESET": 1 << 22,
        "TML_RP2_IS_RP2350": 0,
    },
    "rp2350": {
        "TML_RP2_XOSC_BASE": 0x40048000,
        "TML_RP2_CLOCKS_BASE": 0x40010000,
        "TML_RP2_RESETS_BASE": 0x40020000,
        "TML_RP2_IO_BANK0_BASE": 0x40028000,
        "TML_RP2_PADS_BANK0_BASE": 0x40038000,
        "TML_RP2_PINS_RESET": 1 << 6 | 1 << 9,
        "TML_RP2_UART0_RESET": 1 << 26,
        "TML_RP2_IS_RP2350": 1,
    },
}

USB_HOST_WAIT_MS = 3000
"""So long the start waits for a host to open the port; without one the application goes on alone."""

_RP2_USB = {
    "rp2040": {
        "TML_RP2_PLL_USB_BASE": "0x4002c000u", "TML_RP2_PLL_USB_RESET": "0x2000u", "TML_RP2_USB_RESET": "0x1000000u",
        "TML_RP2_CLK_USB_CTRL": "0x40008054u", "TML_USB_IRQ": "5", "TML_RP2_ROM": "0u", "TML_RP2_ROM_MAGIC": "1",
    },
    "rp2350": {
        "TML_RP2_PLL_USB_BASE": "0x40058000u", "TML_RP2_PLL_USB_RESET": "0x8000u", "TML_RP2_USB_RESET": "0x10000000u",
        "TML_RP2_CLK_USB_CTRL": "0x40010060u", "TML_USB_IRQ": "14", "TML_RP2_ROM": "0u", "TML_RP2_ROM_MAGIC": "2",
    },
}  # fmt: skip
"""RP2040 datasheet, sections 2.2, 2.3.2, 2.8.3, 2.14, 2.15.7; RP2350 datasheet, sections 2.2, 3.2, 5.4.1, 7.5, 8.1.

The boot ROM's start and the byte behind its magic "Mu", which tells one ROM's table of functions from the other's.
"""

_NRF_BAUD = {
    "nrf_uarte": {9600: 0x00275000, 115200: 0x01D60000, 230400: 0x03B00000, 460800: 0x07400000, 1000000: 0x10000000},
    "nrf51_uart": {9600: 0x00275000, 115200: 0x01D7E000, 230400: 0x03AFB000, 460800: 0x075F7000, 1000000: 0x10000000},
}


def drivers_for(board: Board, parts: Sequence[str] = ()) -> Drivers:
    """The drivers of ``board`` with those of the ``parts`` that an application needs (``camera``, ``leds`` …).

    A light whose pin the camera takes is left out. Raises UsageError where its console's driver, instance, pin or speed
    is not known, or it has no such part.
    """
    if "camera" in parts and board.console is not None and board.camera is not None and board.camera.console_tx:
        tx, rx = board.camera.console_tx, board.camera.console_rx or board.console.rx
        board = replace(board, console=replace(board.console, tx=tx, rx=rx))
    if "camera" in parts and board.camera is not None:
        wired = dict(board.camera.pins).values()
        board = replace(board, leds=tuple(led for led in board.leds if led.pin not in wired))
    clock = clock_for(board, board.console.instance if board.console else "")
    base = _base_drivers(board, clock)
    added = [part_drivers(board, part, clock.core_hz) for part in parts]
    sources = dict.fromkeys((*base.sources, *(name for part in added for name in part.sources)))
    defines = dict(base.defines) | {name: value for part in added for name, value in part.defines}
    return replace(base, sources=tuple(sources), defines=tuple(defines.items()))


def _base_drivers(board: Board, clock: Clock) -> Drivers:
    console = board.console
    if console is None:
        return _drivers(board, "uart_none.c", clock, {})
    if console.driver in ("nrf_uarte", "nrf51_uart"):
        return _drivers(board, f"uart_{console.driver}.c", clock, _nrf(board, console))
    if console.driver in ("stm32_usart_v1", "stm32_usart_v2"):
        return _drivers(board, f"uart_{console.driver}.c", clock, _stm32(board, console, clock))
    if console.driver == "rp2_uart":
        return _drivers(board, "uart_rp2_uart.c", clock, _rp2(board, console, clock))
    if console.driver == "rp2_usb":
        return _drivers(board, "uart_rp2_usb.c", clock, _rp2_usb(board) | _usb_line(board, console))
    if console.driver == "nrf_usbd":
        return _drivers(board, "uart_nrf_usbd.c", clock, {"TML_USB_IRQ": "39"} | _usb_line(board, console))
    if console.driver == "cmsdk_uart":
        defines = {"TML_UART_BASE": hex(console.base) + "u", "TML_UART_BAUD": f"{console.baud}u"}
        return _drivers(board, "uart_cmsdk_uart.c", clock, defines)
    raise _unknown(board, f"console driver {console.driver!r} has no source in firmware_templates/drivers")


def _drivers(board: Board, uart: str, clock: Clock, defines: dict[str, str]) -> Drivers:
    if board.family == "nrf51":
        counter: tuple[str, ...] = ("cycles_nrf51_timer.c",)
    elif board.isa_name == "v6m":
        counter = ("cycles_systick.c", _SYSTICK)
    else:
        counter = ("cycles_dwt.c", _SYSTICK)
    image = {"rp2040": ("boot2_rp2040.c",), "rp2350": ("image_def_rp2350.c",)}.get(board.family, ())
    has_vtor = board.core == "cortex-m0plus"
    common = {"TML_CORE_HZ": f"{clock.core_hz}u", "TML_HAS_VTOR": str(int(has_vtor))} | dict(clock.defines)
    line = (_USB_LINE,) if "TML_USB_IRQ" in defines else ()
    sources = (*_COMMON, clock.source, uart, *line, *counter, *image)
    return Drivers(sources, tuple((common | defines).items()), clock.core_hz, clock.note)


def _nrf(board: Board, console: Console) -> dict[str, str]:
    bauds = _NRF_BAUD[console.driver]
    if console.baud not in bauds:
        raise _unknown(board, f"console baud {console.baud} is not one of {', '.join(map(str, bauds))}")
    tx, rx = _nrf_pin(board, console.tx), _nrf_pin(board, console.rx)
    defines = {
        "TML_UART_BASE": hex(console.base) + "u",
        "TML_UART_BAUDRATE_REGISTER": hex(bauds[console.baud]) + "u",
        "TML_UART_TX_GPIO_BASE": hex(0x50000000 + 0x300 * tx[0]) + "u",
        "TML_UART_TX_PIN": f"{tx[1]}u",
        "TML_UART_TX_PSEL": f"{32 * tx[0] + tx[1]}u",
        "TML_UART_RX_PSEL": f"{32 * rx[0] + rx[1]}u",
        "TML_UART_RX_GPIO_BASE": hex(0x50000000 + 0x300 * rx[0]) + "u",
        "TML_UART_RX_PIN": f"{rx[1]}u",
    }
    return defines


def _stm32(board: Board, console: Console, clock: Clock) -> dict[str, str]:
    family = _STM32.get(board.family)
    if family is None or console.instance not in family.uarts:
        raise _unknown(board, f"console instance {console.instance} of family {board.family} is not known")
    (port, pin), (rx_port, rx_pin) = _stm32_pin(board, console.tx), _stm32_pin(board, console.rx)
    register, bit = family.uarts[console.instance]
    scale = 256 if console.instance.startswith("LPUART") else 1
    defines = {
        "TML_UART_BASE": hex(console.base) + "u",
        "TML_UART_BAUD": f"{console.baud}u",
        "TML_UART_CLOCK_HZ": clock.uart_hz,
        "TML_UART_CLOCK_SCALE": f"{scale}u",
        "TML_UART_TX_GPIO_BASE": hex(family.gpio_base + 0x400 * port) + "u",
        "TML_UART_TX_PIN": f"{pin}u",
        "TML_UART_TX_FUNCTION": f"{family.functions.get(console.instance, 7)}u",
        "TML_STM32_GPIO_CLOCK_REGISTER": hex(family.gpio_clock_register) + "u",
        "TML_STM32_GPIO_CLOCK_BIT": f"{port}u",
        "TML_UART_RX_GPIO_BASE": hex(family.gpio_base + 0x400 * rx_port) + "u",
        "TML_UART_RX_PIN": f"{rx_pin}u",
        "TML_STM32_RX_GPIO_CLOCK_BIT": f"{rx_port}u",
        "TML_STM32_UART_CLOCK_REGISTER": hex(register) + "u",
        "TML_STM32_UART_CLOCK_BIT": f"{bit}u",
    }
    if board.family == "stm32l4" and console.tx.startswith("PG"):
        defines |= {
            "TML_STM32_PWR_CLOCK_REGISTER": "0x40021058u",
            "TML_STM32_PWR_CLOCK_BIT": "28u",
            "TML_STM32_VDDIO2_REGISTER": "0x40007004u",
            "TML_STM32_VDDIO2_BIT": "9u",
        }
    return defines


def _rp2(board: Board, console: Console, clock: Clock) -> dict[str, str]:
    family = _RP2.get(board.family)
    pin, rx_pin = (re.fullmatch(r"GP(\d{1,2})", name) for name in (console.tx, console.rx))
    if family is None or pin is None or rx_pin is None or console.instance != "UART0":
        raise _unknown(board, f"console {console.instance} on {console.tx} of family {board.family} is not known")
    return {
        "TML_UART_BASE": hex(console.base) + "u",
        "TML_UART_BAUD": f"{console.baud}u",
        "TML_UART_CLOCK_HZ": clock.uart_hz,
        "TML_UART_TX_PIN": f"{int(pin[1])}u",
        "TML_UART_RX_PIN": f"{int(rx_pin[1])}u",
    } | {name: hex(value) + "u" for name, value in family.items()}


def _rp2_usb(board: Board) -> dict[str, str]:
    if board.family not in _RP2_USB:
        raise _unknown(board, f"the USB socket of family {board.family} has no driver")
    return {name: hex(value) + "u" for name, value in _RP2[board.family].items()} | _RP2_USB[board.family]


def _usb_line(board: Board, console: Console) -> dict[str, str]:
    """What the device says it is, and what its bootloader wants to find (USBD is interrupt 39: nRF52840 PS, 4.2.4)."""
    if console.usb_id is None:
        raise _unknown(board, "[usb_console] has no usb_id, under which the board shows itself")
    vendor, _, product = console.usb_id.partition(":")
    defines = {
        "TML_USB_VENDOR": f"0x{vendor}",
        "TML_USB_PRODUCT": f"0x{product}",
        "TML_USB_HOST_WAIT_MS": f"{USB_HOST_WAIT_MS}u",
    }
    if console.bootloader_magic is not None:
        defines["TML_USB_BOOTLOADER_MAGIC"] = f"{console.bootloader_magic:#x}u"
    return defines


def _stm32_pin(board: Board, text: str) -> tuple[int, int]:
    """Port from 0 and pin."""
    match = re.fullmatch(r"P([A-K])(\d{1,2})", text)
    if match is None or int(match[2]) > 15:
        raise _unknown(board, f"console pin {text!r} is not an STM32 pin such as PA9")
    return ord(match[1]) - ord("A"), int(match[2])


def _nrf_pin(board: Board, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"P([01])\.(\d{2})", text)
    if match is None or int(match[2]) > 31:
        raise _unknown(board, f"console pin {text!r} is not an nRF pin such as P0.06")
    return int(match[1]), int(match[2])


def _unknown(board: Board, what: str) -> UsageError:
    return UsageError(f"{board.path.name}: {what}", hint="boards/README.md lists the drivers and what each knows")
