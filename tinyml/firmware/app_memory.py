"""What a firmware is estimated to take before it is built, with the buffers of its application."""

from __future__ import annotations

from dataclasses import replace

from tinyml.boards import USB_DRIVERS, Board
from tinyml.firmware.app_values import VISION, vision_ram_bytes
from tinyml.firmware.detect import APP as DETECTION
from tinyml.firmware.detect import MOST_FOUND_BYTES
from tinyml.firmware.kws import APP as KEYWORDS
from tinyml.firmware.kws import usual_ram_bytes
from tinyml.firmware.mlperf import mlperf_ram_bytes
from tinyml.lower.program import Program
from tinyml.plan.budget import Sizes
from tinyml.plan.code_size import estimate_sizes

USB_RAM_BYTES, USB_CODE_BYTES = 400, 2_000
"""About what a serial line on a USB socket takes more than one on pins (nano33ble, GCC: 504 bytes and 2,008)."""


def app_ram_bytes(app: str, program: Program, board: Board) -> int:
    """RAM that ``app`` needs on ``board`` besides what every firmware has; 0 where that is small or not known yet."""
    return _own_ram_bytes(app, program, board) + (USB_RAM_BYTES if _on_usb(board) else 0)


def _on_usb(board: Board) -> bool:
    return board.console is not None and board.console.driver in USB_DRIVERS


def _own_ram_bytes(app: str, program: Program, board: Board) -> int:
    if app == KEYWORDS:
        return usual_ram_bytes(program, board)
    if app in (VISION, DETECTION):
        found_bytes = MOST_FOUND_BYTES if app == DETECTION else 0
        return vision_ram_bytes(program.graph, board, fed_by_rows=program.fed_by_rows) + found_bytes
    return mlperf_ram_bytes(program.graph) if app in ("mlperf_tiny", "mlperf_tiny_energy") else 0


def estimate_app_sizes(program: Program, board: Board, app: str, toolchain: str) -> Sizes:
    """:func:`tinyml.plan.code_size.estimate_sizes` with the application's own buffers."""
    sizes = estimate_sizes(program, board, app, toolchain)
    usb_bytes = USB_CODE_BYTES if _on_usb(board) else 0
    bss_bytes = sizes.bss_bytes + app_ram_bytes(app, program, board)
    return replace(sizes, bss_bytes=bss_bytes, code_bytes=sizes.code_bytes + usb_bytes)
