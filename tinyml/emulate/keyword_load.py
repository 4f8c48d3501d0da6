"""What listening costs a core, from counted instructions: the check of what the firmware was built for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tinyml.boards import Board
from tinyml.emulate.calls import count_call
from tinyml.firmware.image import read_image
from tinyml.firmware.kws import KeywordPlan, rhythm_of
from tinyml.plan.cost import estimate
from tinyml.plan.instruction_mix import InstructionMix
from tinyml.plan.realtime import AudioLoad, holds, too_slow

FRAME = "frontend_frame"


def measured_load(plan: KeywordPlan, board: Board, elf: Path, network: InstructionMix) -> AudioLoad:
    """The load of the built firmware ``elf`` from the ``network``'s instructions of one inference.

    A frame's are counted as well where Unicorn has the core. Raises DoesNotFitError where the core falls behind or the
    ring would overflow, though the estimates said otherwise.
    """
    core_hz = plan.load.core_hz
    frame = _frame(plan, board, elf)
    load = replace(
        plan.load,
        network_instructions=network.instructions,
        network_ms=1000.0 * estimate(network, board).cycles / core_hz,
        frame_instructions=frame.instructions if frame else plan.load.frame_instructions,
        frame_ms=1000.0 * estimate(frame, board).cycles / core_hz if frame else plan.load.frame_ms,
        exact=frame is not None,
    )
    if load.load > 1.0 or not holds(load, rhythm_of(plan.model.config, board)):
        raise too_slow(load, board.name)
    return load


def _frame(plan: KeywordPlan, board: Board, elf: Path) -> InstructionMix | None:
    image = read_image(elf)
    ring, features = (image.by_name.get(name) for name in ("ring", "window"))
    if ring is None or features is None:
        return None
    arguments = (ring.address, plan.load.ring_samples, 0, features.address)
    return count_call(image, board, FRAME, arguments)
