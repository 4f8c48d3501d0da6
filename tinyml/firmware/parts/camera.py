"""The camera of the board file: which driver serves it, what pictures it gives, and the pins and registers it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.firmware.parts.base import Part, nrf_pin, port_defines, register, rp2_pin, stm32_pin, unknown
from tinyml.firmware.parts.stm32_dma import stm32_dma

HOST_SOURCES = ("tml_camera.c", "camera_semihosting.c")
FORMATS = {"grey": (0, 1), "rgb565": (1, 2)}
"""Pixel format → its number in C and its bytes a pixel. RGB565 comes with the high byte first, as sensors send it."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """The pictures of a camera driver: ``width`` x ``height`` pixels in ``pixels``, a key of :data:`FORMATS`.

    ``holds_frame`` says that the driver keeps a whole frame, so that the application may take its time between lines.
    """

    width: int
    height: int
    pixels: str
    holds_frame: bool = False

    @property
    def line_bytes(self) -> int:
        """Bytes of one line."""
        return self.width * FORMATS[self.pixels][1]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one picture."""
        return self.line_bytes * self.height


SENSORS = {
    "host": Sensor(160, 120, "rgb565", holds_frame=True),
    "ov7675_nrf": Sensor(160, 120, "rgb565"),
    "ov9655_dcmi": Sensor(320, 240, "rgb565"),
    "ov7670_dcmi": Sensor(160, 120, "rgb565"),
    "hm01b0_pio": Sensor(160, 120, "grey", holds_frame=True),
}
"""Camera driver → its pictures. ``host`` is an emulated board, whose only camera is its semihosting host."""


def _pins(board: Board, names: Sequence[str], number: Callable[[Board, str], int]) -> dict[str, str]:
    assert board.camera is not None
    wired = dict(board.camera.pins)
    for name in names:
        if name not in wired:
            raise unknown(board, f"the camera's pin {name!r} is missing")
    return {f"TML_CAMERA_{name.upper()}": f"{number(board, wired[name])}u" for name in names}


def _host(board: Board) -> dict[str, str]:
    return {}


def _ov7675_nrf(board: Board) -> dict[str, str]:
    data = [f"d{bit}" for bit in range(8)]
    pins = _pins(board, ("vsync", "href", "pclk", "xclk", "sda", "scl", *data), nrf_pin)
    wired = [int(pins[f"TML_CAMERA_D{bit}"][:-1]) for bit in range(8)]
    low = [int(pins[f"TML_CAMERA_{name}"][:-1]) for name in ("VSYNC", "HREF", "PCLK")]
    if wired != [34, 35, 42, 43, 44, 45, 46, 47] or max(low) > 31:
        raise unknown(board, "the driver reads data from P1.02, P1.03, P1.10 to P1.15 and synchronisation from port 0")
    return pins


def _ov9655_dcmi(board: Board) -> dict[str, str]:
    if board.family != "stm32f7":
        raise unknown(board, f"the camera interface of {board.family} has no driver")
    signals = ("hsync", "vsync", "pixclk", *(f"d{bit}" for bit in range(8)))
    numbers = ", ".join(value for value in _pins(board, signals, stm32_pin).values())
    pins = _pins(board, ("scl", "sda", "power"), stm32_pin)
    return pins | {"TML_CAMERA_DCMI_PINS": f"{{{numbers}}}"} | port_defines(board)


@dataclass(frozen=True, slots=True)
class _Dcmi:
    """A family's camera interface: (register, bits) of what has to be set, and the function of its pins.

    ``dma`` are controller, stream or channel, and request. ``mco`` are register, mask and value that put 16 MHz on the
    pin MCO, ``functions`` those of the signals that differ.
    """

    base: int
    clock: tuple[int, int]
    dma: tuple[int, int, int]
    oscillator: tuple[int, int]
    mco: tuple[int, int, int]
    function: int
    functions: tuple[tuple[str, int], ...]
    source: str


_FAMILIES = {
    "stm32h7": _Dcmi(
        0x48020000, (0x580244DC, 1 << 0), (2, 1, 75), (0x58024400, 1 << 0),
        (0x58024410, 0x1FC0000, 4 << 18), 13, (),
        "RM0433, 2.3.2 and chapter RCC (RCC_CR, RCC_CFGR, RCC_AHB1ENR, RCC_AHB2ENR); DS12110, alternate functions",
    ),
    "stm32l4": _Dcmi(
        0x50050000, (0x4002104C, 1 << 14), (1, 1, 90), (0x40021000, 1 << 8),
        (0x40021008, 0x7F000000, 3 << 24), 10, (("PA6", 4), ("PC9", 4), ("PD3", 4), ("PA9", 5), ("PA10", 5)),
        "RM0432, 2.2.2 and chapter RCC (RCC_CR, RCC_CFGR, RCC_AHB1ENR, RCC_AHB2ENR); DS12023, alternate functions",
    ),
    "stm32u5": _Dcmi(
        0x4202C000, (0x46020C8C, 1 << 12), (1, 0, 86), (0x46020C00, 1 << 8),
        (0x46020C1C, 0x7F000000, 3 << 24), 10, (("PA6", 4), ("PC9", 4), ("PD3", 4), ("PA9", 5), ("PA10", 5)),
        "RM0456, 2.3.2 and chapter RCC (RCC_CR, RCC_CFGR1, RCC_AHB1ENR, RCC_AHB2ENR1); DS13737, alternate functions",
    ),
}  # fmt: skip


def _ov7670_dcmi(board: Board) -> dict[str, str]:
    found = _FAMILIES.get(board.family)
    if found is None:
        raise unknown(board, f"the camera interface of {board.family} has no driver")
    assert board.camera is not None
    signals = ("hsync", "vsync", "pixclk", *(f"d{bit}" for bit in range(8)))
    numbers, wired, special = _pins(board, signals, stm32_pin).values(), dict(board.camera.pins), dict(found.functions)
    functions = [special.get(wired[signal], found.function) for signal in signals]
    pairs = ", ".join(f"{{{pin}, {function}u}}" for pin, function in zip(numbers, functions, strict=True))
    mco, mask, value = found.mco
    return (
        _pins(board, ("scl", "sda", "xclk"), stm32_pin)
        | {
            "TML_CAMERA_DCMI_PINS": f"{{{pairs}}}",
            "TML_CAMERA_DCMI_BASE": register(found.base),
            "TML_CAMERA_DCMI_CLOCK_REGISTER": register(found.clock[0]),
            "TML_CAMERA_DCMI_CLOCK_BIT": register(found.clock[1]),
            "TML_CAMERA_OSCILLATOR_REGISTER": register(found.oscillator[0]),
            "TML_CAMERA_OSCILLATOR_BIT": register(found.oscillator[1]),
            "TML_CAMERA_MCO_REGISTER": register(mco),
            "TML_CAMERA_MCO_MASK": register(mask),
            "TML_CAMERA_MCO_VALUE": register(value),
        }
        | stm32_dma(board.family, "CAMERA", *found.dma)
        | port_defines(board)
    )


def _hm01b0_pio(board: Board) -> dict[str, str]:
    return _pins(board, ("sda", "scl", "vsync", "href", "pclk", "d0"), rp2_pin)


_DRIVERS: dict[str, tuple[str, Callable[[Board], dict[str, str]]]] = {
    "host": ("camera_none.c", _host),
    "ov7675_nrf": ("camera_ov7675_nrf.c", _ov7675_nrf),
    "ov9655_dcmi": ("camera_ov9655_dcmi.c", _ov9655_dcmi),
    "ov7670_dcmi": ("camera_ov7670_dcmi.c", _ov7670_dcmi),
    "hm01b0_pio": ("camera_hm01b0_pio.c", _hm01b0_pio),
}


def sensor_of(board: Board) -> Sensor:
    """The pictures of ``board``'s camera. Raises UsageError where it has none, or one without a driver."""
    if board.camera is None:
        raise UsageError(
            f"{board.name} has no camera", hint="add a [camera] to its board file, or choose another board"
        )
    if board.camera.driver not in SENSORS:
        raise unknown(board, f"camera driver {board.camera.driver!r} has no source in firmware_templates/drivers")
    return SENSORS[board.camera.driver]


def camera_ram_bytes(board: Board) -> int:
    """RAM of the drivers' buffers: a line of the host's, a frame or a few lines of the sensor's. Raises as above."""
    sensor = sensor_of(board)
    assert board.camera is not None
    line = sensor.line_bytes
    own = {"host": 0, "hm01b0_pio": sensor.frame_bytes, "ov9655_dcmi": 3 * line, "ov7670_dcmi": 2 * line}
    return line + own.get(board.camera.driver, line)


def camera(board: Board, core_hz: int) -> Part:
    """The driver of ``board``'s camera behind the one of a semihosting host, which comes first where there is one."""
    sensor = sensor_of(board)
    assert board.camera is not None
    source, defines = _DRIVERS[board.camera.driver]
    number, _ = FORMATS[sensor.pixels]
    values = {
        "TML_CAMERA_WIDTH": f"{sensor.width}u",
        "TML_CAMERA_HEIGHT": f"{sensor.height}u",
        "TML_CAMERA_FORMAT": str(number),
        "TML_CAMERA_HOLDS_FRAME": str(int(sensor.holds_frame)),
        "TML_CAMERA_LINE_BYTES": f"{sensor.line_bytes}u",
    } | defines(board)
    return Part((*HOST_SOURCES, source), tuple(values.items()))
