"""Which weights lie packed in flash: a trade of flash against memory and instructions that the goal decides.

For speed none. For size every array whose packing saves flash worth a step's code, while the arena stays within the
memory that the board leaves. Balanced only those that raise neither the arena's peak nor the instructions of an
inference by more than :data:`MOST_MORE_WORK`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyml.boards import Board
from tinyml.lower.program import Isa, Optimize, Program, padded_bytes
from tinyml.lower.unpack import KIND, Packed, Place, candidates, with_packed
from tinyml.plan.budget import Limits, Sizes
from tinyml.plan.planner import Plan, make_plan

MOST_MORE_WORK = 0.02
_LEAST_SAVED_PART, _LEAST_SAVED_OF_ALL = 0.1, 0.02
_STEP_CODE_BYTES, _KERNEL_CODE_BYTES = 40, 130
"""A call of a kernel that steps of one scheme share, and the kernel: what packing has to save first."""
_LEAST_INSTRUCTIONS_A_MAC = {Isa.PORTABLE: 5.0, Isa.V6M: 2.0, Isa.V7M: 1.0, Isa.DSP: 0.5, Isa.MVE: 0.14}
"""Fewer than any model was measured to take: the share of expanding comes out too high rather than too low."""

Planner = Callable[[Program], Plan]


@dataclass(frozen=True, slots=True)
class PackedWeights:
    """An array that lies packed in flash: of which layer, how, its bytes packed and as they would be."""

    layer: str
    scheme: str
    size_bytes: int
    original_bytes: int

    @property
    def saved_bytes(self) -> int:
        """Bytes of flash that it takes less."""
        return self.original_bytes - self.size_bytes


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A program with its plan and what of its weights is packed."""

    program: Program
    plan: Plan
    packed: tuple[PackedWeights, ...] = ()


def arena_room_bytes(board: Board, sizes: Sizes, limits: Limits) -> int:
    """What the board's primary RAM, or the user's limit, leaves for the arena beside stack and data (an estimate)."""
    available = board.ram.available_bytes
    if limits.sram_bytes is not None:
        available = min(available, limits.sram_bytes)
    return available - sizes.stack_bytes - sizes.data_bytes - sizes.bss_bytes


def choose_packed(program: Program, plan: Plan, most_arena_bytes: int, planner: Planner = make_plan) -> Choice:
    """Pack what ``program``'s goal allows; ``plan`` is its plan as it stands, ``most_arena_bytes`` the memory for size.

    Arrays whose buffers would be too large at their layer are left out first; then, while the arena is too large,
    those that live at its peak.
    """
    goal = program.target.optimize
    if goal is Optimize.SPEED:
        return Choice(program, plan)
    limit = plan.arena_bytes if goal is Optimize.BALANCED else max(plan.arena_bytes, most_arena_bytes)
    wanted = {place: packed for place, packed in candidates(program).items() if _saves_enough(packed)}
    wanted = {p: w for p, w in wanted.items() if plan.live_bytes(p[0]) + padded_bytes(w.original) <= limit}
    if goal is Optimize.BALANCED:
        wanted = _within_work(program, wanted)
    while _saved(wanted) > _LEAST_SAVED_OF_ALL * program.weights_bytes:
        packed_program = with_packed(program, wanted)
        packed_plan = planner(packed_program)
        if packed_plan.arena_bytes <= limit:
            return Choice(packed_program, packed_plan, _described(program, wanted))
        wanted = _without_peak(packed_program, packed_plan, wanted)
    return Choice(program, plan)


def _saved(wanted: dict[Place, Packed]) -> int:
    """Bytes of flash that packing saves, less the code of the steps and of each kernel that they share."""
    kernels = {(packed.kernel, packed.ints) for packed in wanted.values()}
    arrays = sum(packed.saved_bytes - _STEP_CODE_BYTES for packed in wanted.values())
    return arrays - _KERNEL_CODE_BYTES * len(kernels)


def _saves_enough(packed: Packed) -> bool:
    return packed.saved_bytes - _STEP_CODE_BYTES > _LEAST_SAVED_PART * padded_bytes(packed.original)


def _within_work(program: Program, wanted: dict[Place, Packed]) -> dict[Place, Packed]:
    """Those that save the most flash for an instruction, while all together stay within the work allowed."""
    left = MOST_MORE_WORK * _LEAST_INSTRUCTIONS_A_MAC[program.target.isa] * program.macs
    kept = {}
    for place, packed in sorted(wanted.items(), key=lambda w: (-w[1].saved_bytes / w[1].instructions, w[0])):
        if packed.instructions <= left:
            left -= packed.instructions
            kept[place] = packed
    return kept


def _without_peak(program: Program, plan: Plan, wanted: dict[Place, Packed]) -> dict[Place, Packed]:
    """Without the arrays that are live at the peak; where none is, without the largest."""
    outputs = [step.outputs[0] for step in program.steps if step.kind == KIND]
    live = {p.buffer.tensor for p in plan.placements if p.buffer.first <= plan.peak_step <= p.buffer.last}
    places = sorted(wanted)
    kept = {place: wanted[place] for place, tensor in zip(places, outputs, strict=True) if tensor not in live}
    if len(kept) < len(wanted):
        return kept
    largest = max(places, key=lambda place: padded_bytes(wanted[place].original))
    return {place: wanted[place] for place in places if place != largest}


def _described(program: Program, wanted: dict[Place, Packed]) -> tuple[PackedWeights, ...]:
    return tuple(
        PackedWeights(program.steps[place[0]].name, packed.scheme, packed.size_bytes, padded_bytes(packed.original))
        for place, packed in sorted(wanted.items())
    )
