"""The budget: how many bytes of each memory region a network's firmware takes, what is left, and what sets the peak.

Arena, scratch and weights are exact from the plan. Code, stack and the application's own data are estimates from
measured kernels until the firmware is built (:mod:`tinyml.plan.code_size`); then the ELF's figures replace them. Every
part says which it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyml.boards import Board, MemoryRegion
from tinyml.errors import DoesNotFitError
from tinyml.lower.program import Program
from tinyml.plan.planner import Arena, Plan

TOP_BUFFERS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of a region: ``exact`` is False for an estimate."""

    label: str
    size_bytes: int
    exact: bool


@dataclass(frozen=True, slots=True)
class RegionUse:
    """What goes into one memory region; ``board_bytes`` is what the board has where a limit of the user's is less."""

    name: str
    kind: str
    available_bytes: int
    parts: tuple[Part, ...]
    board_bytes: int | None = None

    @property
    def used_bytes(self) -> int:
        """Sum of the parts."""
        return sum(p.size_bytes for p in self.parts)

    @property
    def left_bytes(self) -> int:
        """Bytes that stay free; negative where the region overflows."""
        return self.available_bytes - self.used_bytes


@dataclass(frozen=True, slots=True)
class Peak:
    """The step at which most of the arena is live, and its largest buffers as (name, bytes)."""

    layer: str
    op: str
    step: int
    size_bytes: int
    buffers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is not known from the plan alone, in bytes: from measurements of an ELF, or estimated."""

    code_bytes: int
    stack_bytes: int
    data_bytes: int
    bss_bytes: int
    exact: bool
    constants_bytes: int = 0
    """Read-only data that are not the network's weights: strings, tables, unwinding, alignment."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The user's own budget, in bytes; None where there is none."""

    sram_bytes: int | None = None
    flash_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """The whole account of one network on one board."""

    board: str
    arena_bytes: int
    arena_lower_bound_bytes: int
    scratch_bytes: int
    weights_bytes: int
    sizes: Sizes
    regions: tuple[RegionUse, ...]
    peak: Peak

    @property
    def fits(self) -> bool:
        """Whether no region overflows."""
        return all(r.left_bytes >= 0 for r in self.regions)


def find_peak(program: Program, plan: Plan) -> Peak:
    """The layer that sets the arena's peak, with the largest buffers that are live at it."""
    step = min(max(plan.peak_step, 0), max(len(program.steps) - 1, 0))
    live = [p.buffer for p in plan.placements if p.buffer.first <= plan.peak_step <= p.buffer.last]
    largest = sorted(live, key=lambda b: (-b.size_bytes, b.name))[:TOP_BUFFERS_SHOWN]
    layer, op = (program.steps[step].name, program.steps[step].kind) if program.steps else ("input", "")
    return Peak(layer, op, step, plan.live_bytes(plan.peak_step), tuple((b.name, b.size_bytes) for b in largest))


def make_budget(board: Board, program: Program, plan: Plan, sizes: Sizes, limits: Limits | None = None) -> Budget:
    """Account for ``program`` on ``board``; ``limits`` narrow the primary regions to the user's own budget.

    All read-only data and the load image of ``.data`` go to the board's primary flash; ``.data``, ``.bss`` and stack to
    its primary RAM, and the arena too unless the plan says which regions hold it. Other regions are listed empty.
    """
    weights = (Part("weights", program.weights_bytes, True),)
    regions = region_uses(board, weights, plan.arena_bytes, plan.arenas, sizes, limits or Limits())
    return Budget(
        board=board.name,
        arena_bytes=plan.arena_bytes,
        arena_lower_bound_bytes=plan.lower_bound_bytes,
        scratch_bytes=max((s.scratch_bytes for s in program.steps), default=0),
        weights_bytes=program.weights_bytes,
        sizes=sizes,
        regions=regions,
        peak=find_peak(program, plan),
    )


def region_uses(
    board: Board,
    weights: tuple[Part, ...],
    arena_bytes: int,
    arenas: Sequence[Arena],
    sizes: Sizes,
    limits: Limits,
    more_ram: tuple[Part, ...] = (),
) -> tuple[RegionUse, ...]:
    """What every region of ``board`` holds; ``more_ram`` is in the primary RAM besides arena, data and stack."""
    flash = (
        Part("code", sizes.code_bytes, sizes.exact),
        *weights,
        Part("other constants", sizes.constants_bytes, sizes.exact),
        Part(".data image", sizes.data_bytes, sizes.exact),
    )
    held = {arena.region: arena.size_bytes for arena in arenas} or {board.ram.name: arena_bytes}
    ram = (
        Part("arena", held.get(board.ram.name, 0), True),
        *more_ram,
        Part(".data", sizes.data_bytes, sizes.exact),
        Part(".bss", sizes.bss_bytes, sizes.exact),
        Part("stack", sizes.stack_bytes, sizes.exact),
    )
    found = []
    for region in board.regions:
        if region == board.flash:
            found.append(_use(region, flash, limits.flash_bytes))
        elif region == board.ram:
            found.append(_use(region, ram, limits.sram_bytes))
        else:
            found.append(_use(region, (Part("arena", held.get(region.name, 0), True),), None))
    return tuple(found)


def _use(region: MemoryRegion, parts: tuple[Part, ...], limit: int | None) -> RegionUse:
    used = tuple(p for p in parts if p.size_bytes)
    if limit is None or limit >= region.available_bytes:
        return RegionUse(region.name, region.kind, region.available_bytes, used)
    return RegionUse(region.name, region.kind, limit, used, region.available_bytes)


def flash_overflows_by_code(budget: Budget) -> bool:
    """Whether the primary flash is all that overflows, and by less than the firmware's code."""
    over = [region for region in budget.regions if region.left_bytes < 0]
    return [region.kind for region in over] == ["flash"] and -over[0].left_bytes < budget.sizes.code_bytes


def require_fits(
    budget: Budget, fitting_boards: Mapping[str, str] | None = None, *, optimize: str = "balanced"
) -> None:
    """Raise DoesNotFitError naming board, region, have, need, the layer that sets the peak and what would help.

    ``fitting_boards`` maps the names of boards on which the network fits to their titles, and ``optimize`` is what it
    was compiled for; both shape the hint.
    """
    over = [r for r in budget.regions if r.left_bytes < 0]
    if not over:
        return
    lines = [f"does not fit {budget.board}"]
    for region in over:
        parts = ", ".join(f"{p.label} {p.size_bytes:,}{'' if p.exact else ' (estimate)'}" for p in region.parts)
        lines.append(
            f"  {region.name}: have {region.available_bytes:,} bytes{_whose(region)}, need {region.used_bytes:,}"
            f" ({-region.left_bytes:,} too many): {parts}"
        )
    if any(r.kind == "ram" for r in over):
        buffers = ", ".join(f"{name} {size:,}" for name, size in budget.peak.buffers)
        lines.append(
            f"  the arena's peak of {budget.peak.size_bytes:,} bytes is at layer {budget.peak.layer!r}"
            f" ({budget.peak.op}): {buffers}"
        )
    raise DoesNotFitError("\n".join(lines), hint=_remedy(over, fitting_boards or {}, optimize))


def _whose(region: RegionUse) -> str:
    return "" if region.board_bytes is None else f" (your own limit; the board has {region.board_bytes:,})"


def _remedy(over: list[RegionUse], fitting_boards: Mapping[str, str], optimize: str) -> str:
    if any(r.kind == "ram" for r in over):
        remedies = ["lower the input resolution or the width of the layers up to the peak"]
    else:
        remedies = ["lower the width or the number of classes"]
    if any(r.kind == "flash" for r in over) and optimize != "size":
        remedies.append("build with --optimize size")
    if fitting_boards:
        remedies.append("take a larger board: " + ", ".join(list(fitting_boards)[:4]))
    return "; or ".join(remedies)
