"""Estimates cycles, time and energy from what was executed: kinds of instructions x the core's timings + flash stalls.

Instruction counts are exact; what this module makes of them is an estimate, and is labelled so wherever it is printed.
The timings and their sources are in ``core_timings.toml``, the caches between core and flash in the board's file, the
calibration and its errors in ``docs/cost-model.md``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tinyml.board import Board, FlashCache
from tinyml.plan.instruction_mix import EVENTS, InstructionMix, Kind

_TIMINGS = Path(__file__).parent / "core_timings.toml"


@dataclass(frozen=True, slots=True)
class CoreTimings:
    """Cycles of each kind of instruction, and what their sum is multiplied with; ``calibrated`` where it is fitted."""

    cycles: Mapping[Kind, float]
    scale: float
    calibrated: bool
    source: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What executing something costs; ``energy_uj`` is None where the board's file has no current."""

    core_cycles: float
    stall_cycles: float
    latency_ms: float
    energy_uj: float | None

    @property
    def cycles(self) -> int:
        """All cycles."""
        return round(self.core_cycles + self.stall_cycles)


@lru_cache(maxsize=1)
def core_timings() -> dict[str, CoreTimings]:
    """The timings of every core; what its table does not name takes one cycle, an event none."""
    default = {kind: 0.0 if kind in EVENTS else 1.0 for kind in Kind}
    cores = {}
    for name, table in tomllib.loads(_TIMINGS.read_text("utf-8")).items():
        cycles = default | {Kind(key): float(value) for key, value in table["cycles"].items()}
        cores[name] = CoreTimings(cycles, float(table["scale"]), bool(table["calibrated"]), str(table["source"]))
    return cores


def core_cycles(mix: InstructionMix, timings: CoreTimings) -> float:
    """Cycles with memory that never waits."""
    return timings.scale * sum(timings.cycles[kind] * count for kind, count in mix.counts.items())


def stall_cycles(mix: InstructionMix, cache: FlashCache | None) -> float:
    """Cycles that the core waits for flash; 0 where the board describes no cache or it was not simulated."""
    if cache is None or mix.misses is None:
        return 0.0
    return mix.misses.instruction * cache.instruction_fill_cycles + mix.misses.data * cache.data_fill_cycles


def estimate(mix: InstructionMix, board: Board) -> Estimate:
    """What ``mix`` takes on ``board`` at its clock and supply.

    Energy is cycles x current a MHz x supply voltage: the core and memories alone, as data sheets state the current.
    """
    core = core_cycles(mix, core_timings()[board.core])
    stalls = stall_cycles(mix, board.flash_cache)
    cycles = core + stalls
    current = board.current
    energy_uj = None if current is None else cycles * current.run_ma_per_mhz * current.supply_v * 1e-3
    return Estimate(core, stalls, 1e3 * cycles / board.clock_hz, energy_uj)


def waits_unknown(board: Board, simulated: bool) -> str | None:
    """Why flash stalls are missing from the estimates, None where they are not."""
    waits = board.flash.wait_states
    if board.flash_cache is None:
        return f"{board.name} describes no flash cache, so waits for flash are not estimated" if waits != 0 else None
    return None if simulated else "waits for flash are not estimated in this emulator; Unicorn does"
