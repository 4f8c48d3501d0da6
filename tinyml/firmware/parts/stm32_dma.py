"""The DMA of the STM32 families as ``tml_stm32_dma.h`` takes it: one stream or channel for one part."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.firmware.parts.base import register


@dataclass(frozen=True, slots=True)
class _Family:
    """``controllers`` are (base address, bits of the clock register) of DMA1, and of DMA2 where a driver uses it.

    ``kind`` is ``STREAMS``, ``CHANNELS`` or ``LIST``; ``mux`` says that a multiplexer brings the requests.
    """

    kind: str
    controllers: tuple[tuple[int, int], ...]
    clock_register: int
    mux: bool
    source: str


_FAMILIES = {
    "stm32f4": _Family(
        "STREAMS", ((0x40026000, 1 << 21), (0x40026400, 1 << 22)), 0x40023830, False,
        "RM0090, 2.3, 7.3.10 (RCC_AHB1ENR) and table 62 (vectors)",
    ),
    "stm32f7": _Family(
        "STREAMS", ((0x40026000, 1 << 21), (0x40026400, 1 << 22)), 0x40023830, False,
        "RM0385, 2.2.2, 5.3.10 (RCC_AHB1ENR) and table 46 (vectors)",
    ),
    "stm32h7": _Family(
        "STREAMS", ((0x40020000, 1 << 0), (0x40020400, 1 << 1)), 0x580244D8, True,
        "RM0433, 2.3.2 and chapters RCC (RCC_AHB1ENR), DMAMUX (1 serves DMA1 first, then DMA2) and NVIC",
    ),
    "stm32l4": _Family(
        "CHANNELS", ((0x40020000, 1 << 2 | 1 << 0),), 0x40021048, True,
        "RM0432, 2.2.2 and chapters RCC (RCC_AHB1ENR: DMA1EN, DMAMUX1EN), DMAMUX and NVIC",
    ),
    "stm32u5": _Family(
        "LIST", ((0x40020000, 1 << 0),), 0x46020C88, False,
        "RM0456, 2.3.2 and chapters RCC (RCC_AHB1ENR) and NVIC",
    ),
}  # fmt: skip

_IRQS: dict[str, tuple[tuple[int, ...], ...]] = {
    "STREAMS": ((11, 12, 13, 14, 15, 16, 17, 47), (56, 57, 58, 59, 60, 68, 69, 70)),
    "CHANNELS": ((-1, 11, 12, 13, 14, 15, 16, 17),),
    "LIST": ((29, 30, 31, 32, 33, 34, 35, 36),),
}
"""Kind → interrupts by controller and number, which the families of a kind have in common."""


def stm32_dma(family: str, part: str, controller: int, number: int, request: int) -> dict[str, str]:
    """The macros for DMA ``controller`` (1 or 2), its stream or channel ``number`` and what it waits for.

    ``part`` is in the macros' names, ``CAMERA`` or ``MICROPHONE``; channels count from 1, the others from 0.
    """
    found, name = _FAMILIES[family], f"TML_{part}_DMA"
    base, clock_bits = found.controllers[controller - 1]
    mux = number - 1 if found.kind == "CHANNELS" else 8 * (controller - 1) + number
    return {
        "TML_STM32_DMA_STREAMS": str(int(found.kind == "STREAMS")),
        "TML_STM32_DMA_CHANNELS": str(int(found.kind == "CHANNELS")),
        f"{name}_BASE": register(base),
        f"{name}_NUMBER": str(number),
        f"{name}_REQUEST": str(request),
        f"{name}_CLOCK_REGISTER": register(found.clock_register),
        f"{name}_CLOCK_BITS": register(clock_bits),
        f"{name}_MUX": str(mux if found.mux else -1),
    }


def stm32_dma_irq(family: str, controller: int, number: int) -> int:
    """The number of its interrupt."""
    return _IRQS[_FAMILIES[family].kind][controller - 1][number]
