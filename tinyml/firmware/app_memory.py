"""What a firmware is estimated to take before it is built, with the buffers of its application."""

from __future__ import annotations

from dataclasses import replace

from tinyml.boards import Board
from tinyml.firmware.app_values import VISION, vision_ram_bytes
from tinyml.firmware.detect import APP as DETECTION
from tinyml.firmware.detect import MOST_FOUND_BYTES
from tinyml.firmware.kws import APP as KEYWORDS
from tinyml.firmware.kws import usual_ram_bytes
from tinyml.firmware.mlperf import mlperf_ram_bytes
from tinyml.lower.program import Program
from tinyml.plan.budget import Sizes
from tinyml.plan.code_size import estimate_sizes


def app_ram_bytes(app: str, program: Program, board: Board) -> int:
    """RAM that ``app`` needs on ``board`` besides what every firmware has; 0 where that is small or not known yet."""
    if app == KEYWORDS:
        return usual_ram_bytes(program, board)
    if app in (VISION, DETECTION):
        found_bytes = MOST_FOUND_BYTES if app == DETECTION else 0
        return vision_ram_bytes(program.graph, board, fed_by_rows=program.fed_by_rows) + found_bytes
    return mlperf_ram_bytes(program.graph) if app in ("mlperf_tiny", "mlperf_tiny_energy") else 0


def estimate_app_sizes(program: Program, board: Board, app: str, toolchain: str) -> Sizes:
    """:func:`tinyml.plan.code_size.estimate_sizes` with the application's own buffers."""
    sizes = estimate_sizes(program, board, app, toolchain)
    return replace(sizes, bss_bytes=sizes.bss_bytes + app_ram_bytes(app, program, board))
