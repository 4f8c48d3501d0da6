"""The drivers that only some applications need, and the numbers they are compiled with, from the board file."""

from __future__ import annotations

from collections.abc import Callable

from tinyml.boards import Board
from tinyml.firmware.parts.base import Part
from tinyml.firmware.parts.camera import camera
from tinyml.firmware.parts.leds import leds
from tinyml.firmware.parts.microphone import microphone

__all__ = ["PARTS", "Part", "part_drivers"]

PARTS: dict[str, Callable[[Board, int], Part]] = {"camera": camera, "leds": leds, "microphone": microphone}


def part_drivers(board: Board, part: str, core_hz: int) -> Part:
    """The drivers of one part for a core at ``core_hz``. Raises UsageError where the board does not have it."""
    return PARTS[part](board, core_hz)
