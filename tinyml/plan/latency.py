"""Latency from the plan alone: instructions as its kernels were measured, times the core's average cycles.

Rougher than ``tinyml profile``, which counts instructions in emulation and weighs each kind, but it needs no firmware:
it serves where many networks are compared before one is built.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyml.board import Board
from tinyml.lower.program import Program, Step
from tinyml.plan.kernel_work import whole_work
from tinyml.plan.work import call_overhead, step_work

CYCLES_PER_INSTRUCTION = {
    "cortex-m0": 1.4,
    "cortex-m0plus": 2.4,
    "cortex-m3": 2.15,
    "cortex-m33": 1.5,
    "cortex-m4": 1.45,
    "cortex-m7": 1.05,
    "cortex-m55": 1.65,
}
"""Cycles that ``tinyml profile`` estimates, over the instructions estimated here: the middle of DS-CNN, ResNet-8,
MobileNetV1, V2 and V3 and the autoencoder. They spread by 10 % on M4, M7 and M33 and by a quarter on M3 and M55; the
autoencoder, whose time is the flash's, takes up to 1.6 times as long. The M0+ is the RP2040's with flash behind a small
cache: 1.45 to 3.5."""


@dataclass(frozen=True, slots=True)
class LatencyEstimate:
    """Instructions, cycles and milliseconds of one inference, all estimated."""

    instructions: int
    cycles: int
    latency_ms: float


def estimate_instructions(program: Program) -> float:
    """Instructions of one inference of ``program``, from the program alone.

    A layer takes what its kernel was measured to take; what running it by rows adds is the planner's estimate.
    """
    return sum(_instructions(program, step) for step in program.steps)


def _instructions(program: Program, step: Step) -> float:
    whole = whole_work(program, step)
    if step.rows is None:
        return step_work(program, step) if whole is None else whole
    calls = step.rows.calls
    by_rows, around = calls * step_work(program, step), calls * call_overhead(program)
    if whole is None:
        return by_rows + around
    return whole + max(0.0, by_rows - step_work(program, replace(step, rows=None))) + around


def estimate_latency(program: Program, board: Board) -> LatencyEstimate:
    """What one inference of ``program`` takes on ``board`` at its clock, from the program alone.

    A step that runs by rows is weighed for all of its calls.
    """
    instructions = estimate_instructions(program)
    cycles = instructions * CYCLES_PER_INSTRUCTION[board.core]
    return LatencyEstimate(round(instructions), round(cycles), 1e3 * cycles / board.clock_hz)
