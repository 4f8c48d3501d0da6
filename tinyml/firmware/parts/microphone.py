"""The microphone of the board file: which driver serves it, how exactly it meets its rate, its pins and registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.firmware.parts.base import Part, nrf_pin, port_defines, rp2_pin, stm32_pin, unknown
from tinyml.firmware.parts.stm32_dma import stm32_dma, stm32_dma_irq

HOST_SOURCES = ("tml_audio.c", "microphone_semihosting.c")
"""An emulated board, or one under a debugger, hears its host."""

BLOCKS_SOURCE = "microphone_blocks.c"

SAMPLE_RATE_HZ = 16_000
"""The only rate the drivers make."""

RATE_TOLERANCE_PPM = 500
"""How far a driver's dividers may leave a front-end's rate; the oscillator's own error comes on top of it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Samples a second: ``oscillator_hz`` times ``multiply``, divided by every one of ``divide``.

    What C takes of it are ``TML_MICROPHONE_PLL_N``, ``TML_MICROPHONE_PLL_DIVIDER`` and ``TML_MICROPHONE_DIVIDER``, the
    first two of ``divide``; the rest lies in what the driver sets up.
    """

    oscillator_hz: float
    multiply: int
    divide: tuple[float, ...]

    @property
    def hz(self) -> float:
        """Samples a second."""
        hz = self.oscillator_hz * self.multiply
        for divider in self.divide:
            hz /= divider
        return hz

    @property
    def defines(self) -> dict[str, str]:
        """The macros."""
        names = ("TML_MICROPHONE_PLL_DIVIDER", "TML_MICROPHONE_DIVIDER")
        dividers = {name: f"{divider:.0f}u" for name, divider in zip(names, self.divide, strict=False)}
        return {"TML_MICROPHONE_PLL_N": f"{self.multiply}u"} | dividers


@dataclass(frozen=True, slots=True)
class _Driver:
    """A source, the pins it wants wired (``power`` and others may be besides), its rate and its buffers.

    ``rate`` takes the core's clock; ``defines`` adds to the pins' numbers what else the source is compiled with.
    """

    source: str
    pins: tuple[str, ...]
    number: Callable[[Board, str], int]
    rate: Callable[[int], Rate]
    buffer_bytes: int
    defines: Callable[[Board], dict[str, str]]


_I2S_PINS = ("sck", "ws", "data")
_FRAME_BITS = 64
_PDM = Rate(32_000_000, 1, (25, 80))
_F7_SAI = Rate(1_000_000, 344, (7, 12, 256))
_F4_I2S = Rate(1_000_000, 256, (5, 50, _FRAME_BITS))
_SAI = Rate(4_000_000, 64, (25, 10, _FRAME_BITS))
_PIO_STEPS = 2 * _FRAME_BITS


def _pio_rate(core_hz: int) -> Rate:
    """PIO's divider is a multiple of 1/256 (RP2040 datasheet, 3.5.5; RP2350 datasheet, 11.5.5)."""
    return Rate(core_hz, 256, (core_hz // (_PIO_STEPS * SAMPLE_RATE_HZ // 256), _PIO_STEPS))


def _irq(number: int) -> dict[str, str]:
    return {"TML_MICROPHONE_IRQ": str(number)}


def _nrf_pdm(board: Board) -> dict[str, str]:
    return _irq(29)


def _stm32f7_sai(board: Board) -> dict[str, str]:
    return _stm32(board, _F7_SAI, (2, 7, 0))


def _stm32f4_i2s(board: Board) -> dict[str, str]:
    return _stm32(board, _F4_I2S, (1, 3, 0))


def _stm32(board: Board, rate: Rate, dma: tuple[int, int, int]) -> dict[str, str]:
    """``dma`` are controller, stream or channel, and request."""
    if "dma" not in board.ram.attributes:
        raise unknown(board, f"the microphone's buffers lie in {board.ram.name}, which DMA does not reach")
    controller, number, _ = dma
    values = rate.defines | stm32_dma(board.family, "MICROPHONE", *dma) | port_defines(board)
    return values | _irq(stm32_dma_irq(board.family, controller, number))


@dataclass(frozen=True, slots=True)
class _Sai1:
    """SAI1 of a family: its base, the alternate function of its pins, and DMA as :func:`_stm32` takes it."""

    base: int
    function: int
    dma: tuple[int, int, int]
    pins: tuple[tuple[str, ...], ...]
    source: str


_SCK, _FS, _SD = ("PE5",), ("PE4",), ("PE6",)
_SAI1 = {
    "stm32h7": _Sai1(
        0x40015800, 6, (1, 0, 87), (_SCK, _FS, (*_SD, "PB2", "PC1", "PD6")),
        "RM0433, 2.3.2 and DMAMUX1's table of requests; DS12110, alternate functions",
    ),
    "stm32l4": _Sai1(
        0x40015400, 13, (1, 2, 36), ((*_SCK, "PB10"), (*_FS, "PB9"), (*_SD, "PC3", "PD6")),
        "RM0432, 2.2.2 and DMAMUX1's table of requests; DS12023, alternate functions",
    ),
    "stm32u5": _Sai1(
        0x40015400, 13, (1, 1, 36), ((*_SCK, "PB10"), (*_FS, "PB9"), (*_SD, "PC3", "PD6")),
        "RM0456, 2.3.2 and GPDMA1's table of requests; DS13737, alternate functions",
    ),
}  # fmt: skip


def _stm32_sai(board: Board) -> dict[str, str]:
    assert board.microphone is not None
    found, wired = _SAI1[board.family], dict(board.microphone.pins)
    for name, able in zip(_I2S_PINS, found.pins, strict=True):
        if wired[name] not in able:
            raise unknown(board, f"the microphone's pin {name!r} is {wired[name]}, not one of {', '.join(able)}")
    return _stm32(board, _SAI, found.dma) | {
        "TML_MICROPHONE_SAI_BASE": f"0x{found.base:x}u",
        "TML_MICROPHONE_FUNCTION": f"{found.function}u",
        "TML_MICROPHONE_SAI_H7": str(int(board.family == "stm32h7")),
        "TML_MICROPHONE_SAI_L4": str(int(board.family == "stm32l4")),
    }


def _rp2_pio(board: Board) -> dict[str, str]:
    assert board.microphone is not None
    wired = dict(board.microphone.pins)
    if rp2_pin(board, wired["ws"]) != rp2_pin(board, wired["sck"]) + 1:
        raise unknown(board, f"the microphone's ws is {wired['ws']}, not the pin after sck's {wired['sck']}")
    return _irq(10 if board.family == "rp2350" else 11)


def _always(rate: Rate) -> Callable[[int], Rate]:
    return lambda core_hz: rate


_CODEC_PINS = ("sai_mclk", "sai_sck", "sai_fs", "sai_data_in", "i2c_scl", "i2c_sda")
_SAI_DRIVER = _Driver("microphone_stm32_sai.c", _I2S_PINS, stm32_pin, _always(_SAI), 1024, _stm32_sai)
_PIO_DRIVER = _Driver("microphone_rp2_pio.c", _I2S_PINS, rp2_pin, _pio_rate, 1024, _rp2_pio)
_DRIVERS = {
    ("nrf52", "pdm"): _Driver("microphone_nrf_pdm.c", ("clock", "data"), nrf_pin, _always(_PDM), 0, _nrf_pdm),
    ("stm32f7", "pdm"): _Driver(
        "microphone_stm32f7_sai.c", _CODEC_PINS, stm32_pin, _always(_F7_SAI), 1024, _stm32f7_sai
    ),
    ("stm32f4", "i2s"): _Driver("microphone_stm32f4_i2s.c", _I2S_PINS, stm32_pin, _always(_F4_I2S), 2048, _stm32f4_i2s),
    ("stm32h7", "i2s"): _SAI_DRIVER,
    ("stm32l4", "i2s"): _SAI_DRIVER,
    ("stm32u5", "i2s"): _SAI_DRIVER,
    ("rp2040", "i2s"): _PIO_DRIVER,
    ("rp2350", "i2s"): _PIO_DRIVER,
}
"""Family and kind of microphone → its driver."""


def _driver(board: Board) -> _Driver | None:
    return None if board.microphone is None else _DRIVERS.get((board.family, board.microphone.kind))


def has_driver(board: Board) -> bool:
    """Whether ``board`` has a microphone that a driver serves; otherwise sound comes from a semihosting host alone."""
    return _driver(board) is not None


def microphone_text(board: Board) -> str | None:
    """The part and its pins, for people; None where there is no driver."""
    if board.microphone is None or not has_driver(board):
        return None
    pins = ", ".join(f"{signal} {pin}" for signal, pin in board.microphone.pins)
    return f"{board.microphone.part} ({pins})"


def microphone_ram_bytes(board: Board) -> int:
    """RAM of the driver's buffer before the application's ring."""
    driver = _driver(board)
    return 0 if driver is None else driver.buffer_bytes


def microphone_rate_hz(board: Board, core_hz: int) -> float | None:
    """Samples a second that the driver's dividers make of an exact oscillator; None where there is no driver."""
    driver = _driver(board)
    return None if driver is None else driver.rate(core_hz).hz


def check_rate(board: Board, core_hz: int, wanted_hz: int) -> None:
    """Raises UsageError where ``board``'s microphone is more than RATE_TOLERANCE_PPM off a model's ``wanted_hz``."""
    rate_hz = microphone_rate_hz(board, core_hz)
    if rate_hz is None or abs(rate_hz - wanted_hz) <= wanted_hz * RATE_TOLERANCE_PPM * 1e-6:
        return
    raise UsageError(
        f"the microphone of {board.name} gives {rate_hz:,.0f} samples a second, the model's front-end takes "
        f"{wanted_hz:,} (at most {RATE_TOLERANCE_PPM} ppm may lie between)",
        hint=f"train with a front-end of {SAMPLE_RATE_HZ:,} samples a second",
    )


def microphone(board: Board, core_hz: int) -> Part:
    """The driver of ``board``'s microphone; one that has no sound where there is none.

    Raises UsageError where a pin is missing or is not one that the driver can take.
    """
    driver = _driver(board)
    if driver is None or board.microphone is None:
        return Part((*HOST_SOURCES, "microphone_none.c"), ())
    wired = dict(board.microphone.pins)
    for name in driver.pins:
        if name not in wired:
            raise unknown(board, f"the microphone's pin {name!r} is missing")
    pins = {f"TML_MICROPHONE_{name.upper()}": f"{driver.number(board, pin)}u" for name, pin in wired.items()}
    defines = pins | driver.defines(board)
    return Part((*HOST_SOURCES, driver.source, BLOCKS_SOURCE), tuple(defines.items()))
