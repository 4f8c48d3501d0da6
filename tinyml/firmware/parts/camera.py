"""The camera of the board file: which driver serves it, what pictures it gives, and the pins and registers it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.firmware.parts.base import Part, unknown

HOST_SOURCES = ("tml_camera.c", "camera_semihosting.c")
FORMATS = {"grey": (0, 1), "rgb565": (1, 2)}
"""Pixel format → its number in C and its bytes a pixel. RGB565 comes with the high byte first, as sensors send it."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """The pictures of a camera driver: ``width`` x ``height`` pixels in ``pixels``, a key of :data:`FORMATS`."""

    width: int
    height: int
    pixels: str

    @property
    def frame_bytes(self) -> int:
        """Bytes of one picture."""
        return self.width * self.height * FORMATS[self.pixels][1]


SENSORS = {
    "host": Sensor(160, 120, "rgb565"),
}
"""Camera driver → its pictures. ``host`` is an emulated board, whose only camera is its semihosting host."""

_DRIVERS: dict[str, tuple[tuple[str, ...], Callable[[Board, int], dict[str, str]]]] = {
    "host": (("camera_none.c",), lambda board, core_hz: {}),
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


def camera(board: Board, core_hz: int) -> Part:
    """The driver of ``board``'s camera behind the one of a semihosting host, which comes first where there is one."""
    sensor = sensor_of(board)
    assert board.camera is not None
    sources, defines = _DRIVERS[board.camera.driver]
    number, pixel_bytes = FORMATS[sensor.pixels]
    values = {
        "TML_CAMERA_WIDTH": f"{sensor.width}u",
        "TML_CAMERA_HEIGHT": f"{sensor.height}u",
        "TML_CAMERA_FORMAT": str(number),
        "TML_CAMERA_LINE_BYTES": f"{sensor.width * pixel_bytes}u",
    } | defines(board, core_hz)
    return Part((*HOST_SOURCES, *sources), tuple(values.items()))
