"""What one candidate needs on a board, from its untrained network: SRAM and flash as planned, latency as estimated.

Cheap answers come first: the weights alone may be more than the flash, the plan of one layer after the other may fit.
Only where neither tells, plans by rows are searched, which takes most of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.firmware.app_memory import estimate_app_sizes
from tinyml.graph.check import check_supported
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower, target_of
from tinyml.lower.program import Optimize, Program
from tinyml.models.counting import count_macs, count_parameters
from tinyml.pipeline.compiled import Options, compile_model
from tinyml.plan.budget import Budget, make_budget
from tinyml.plan.choose import Goal, choose_plan
from tinyml.plan.latency import estimate_latency
from tinyml.plan.planner import Plan, first_plan
from tinyml.plan.regions import place, rooms
from tinyml.scaling.space import Candidate
from tinyml.sources import UNTRAINED_SEED, ModelSource, convert_random
from tinyml.tflite.quiet import import_keras
from tinyml.tflite.read import read_graph

MOST_PACKED_VALUES = 16
"""Weights of more distinct values are not packed (:mod:`tinyml.lower.unpack`)."""
LOOKED_AT = 4096


@dataclass(frozen=True, slots=True)
class Need:
    """What a candidate needs of a board, and what there is; SRAM is that of all the board's RAMs unless limited.

    ``sram_bytes`` is None where flash or latency alone told that it does not fit, ``latency_ms`` where the weights did;
    ``flash_bytes`` is then a lower bound. ``excess`` is the largest of need over have, above 1 where it does not fit.
    """

    candidate: Candidate
    parameters: int
    macs: int
    flash_bytes: int
    flash_available_bytes: int
    sram_bytes: int | None
    sram_available_bytes: int
    latency_ms: float | None
    max_latency_ms: float | None
    excess: float

    @property
    def fits(self) -> bool:
        """Whether memory and time suffice."""
        return self.excess <= 1

    def describe(self) -> str:
        """The candidate with its figures beside what there is, in one line."""
        least = "" if self.latency_ms is not None else "at least "
        told = [f"{least}{self.flash_bytes:,} of {self.flash_available_bytes:,} bytes of flash"]
        if self.sram_bytes is not None:
            told.insert(0, f"{self.sram_bytes:,} of {self.sram_available_bytes:,} bytes of SRAM")
        if self.latency_ms is not None:
            limit = "" if self.max_latency_ms is None else f" of {self.max_latency_ms:g}"
            told.append(f"about {self.latency_ms:.{0 if self.latency_ms >= 100 else 1}f}{limit} ms")
        return f"{self.candidate.title}: {', '.join(told)}"

    def to_json(self) -> dict[str, Any]:
        """The object of one candidate."""
        return {
            "model": self.candidate.name,
            "options": {key: list(v) if isinstance(v, tuple) else v for key, v in self.candidate.options},
            "parameters": self.parameters,
            "macs": self.macs,
            "sram_bytes": self.sram_bytes,
            "sram_available_bytes": self.sram_available_bytes,
            "flash_bytes": self.flash_bytes,
            "flash_available_bytes": self.flash_available_bytes,
            "latency_ms": self.latency_ms,
            "fits": self.fits,
        }


class Prober:
    """Measures candidates for one board and one set of options; every candidate once."""

    def __init__(self, board: Board, options: Options, max_latency_ms: float | None = None) -> None:
        self.board = board
        self.options = options
        self.max_latency_ms = max_latency_ms
        self._needs: dict[Candidate, Need] = {}
        self._contents: dict[Candidate, bytes] = {}

    @property
    def needs(self) -> tuple[Need, ...]:
        """All that was measured, in that order."""
        return tuple(self._needs.values())

    def need(self, candidate: Candidate) -> Need | None:
        """What ``candidate`` needs, by the quickest way that tells whether it fits; None where it cannot be built.

        Raises UnsupportedError where the network cannot be converted or compiled.
        """
        if candidate not in self._needs:
            import_keras().utils.set_random_seed(UNTRAINED_SEED)
            model = built(candidate)
            if model is None:
                return None
            self._needs[candidate] = self._measure(candidate, model)
        return self._needs[candidate]

    def confirm(self, candidate: Candidate) -> Need:
        """What ``candidate``, found to fit, needs as ``tinyml check`` plans it; later :meth:`need` gives the same."""
        quick = self._needs[candidate]
        source = ModelSource(candidate.name, self._contents[candidate], candidate.title, calibrated=False)
        compiled = compile_model(source, self.board, self.options)
        sizes = estimate_app_sizes(compiled.program, self.board, self.options.app, self.options.toolchain)
        budget = make_budget(self.board, compiled.program, compiled.plan, sizes, self.options.limits)
        self._needs[candidate] = self._told(candidate, quick.parameters, compiled.program, budget)
        return self._needs[candidate]

    def _measure(self, candidate: Candidate, model: Any) -> Need:
        parameters, least = count_parameters(model), least_weight_bytes(model)
        flash_bytes, sram_bytes = available_bytes(self.board, self.options)
        if least > flash_bytes:
            return Need(
                candidate, parameters, count_macs(model), least, flash_bytes, None, sram_bytes, None,
                self.max_latency_ms, least / flash_bytes,
            )  # fmt: skip
        self._contents[candidate] = convert_random(model)
        import_keras().backend.clear_session()
        program, budget, settled = self._planned(self._contents[candidate], candidate.name)
        return self._told(candidate, parameters, program, budget, settled)

    def _told(
        self, candidate: Candidate, parameters: int, program: Program, budget: Budget, settled: bool = True
    ) -> Need:
        flash_bytes, sram_bytes = available_bytes(self.board, self.options)
        latency_ms = estimate_latency(program, self.board).latency_ms
        counted = [
            region for region in budget.regions if region.available_bytes and (settled or region.kind == "flash")
        ]
        ratios = [region.used_bytes / region.available_bytes for region in counted]
        if self.max_latency_ms is not None:
            ratios.append(latency_ms / self.max_latency_ms)
        used = {"flash": 0, "ram": 0}
        for region in budget.regions:
            used[region.kind] += region.used_bytes
        return Need(
            candidate, parameters, program.macs, used["flash"], flash_bytes,
            used["ram"] if settled else None, sram_bytes, latency_ms, self.max_latency_ms, max(ratios),
        )  # fmt: skip

    def _planned(self, content: bytes, name: str) -> tuple[Program, Budget, bool]:
        """Program and budget of the quickest plan that fits or that no other can help, of the searched one elsewhere.

        The last is False where a better plan would need less SRAM, but was not searched because it would not help.
        """
        graph = read_graph(content, name=name, match=self.options.match)
        check_supported(graph)
        program = lower(run_passes(graph), target_of(self.board, Optimize(self.options.optimize)))
        goal = self.options.memory
        latency_ms = estimate_latency(program, self.board).latency_ms
        slow = self.max_latency_ms is not None and latency_ms > self.max_latency_ms
        if not goal.fed_by_rows:
            budget = self._budget(program, first_plan(program))
            if budget.fits or slow:
                return program, budget, budget.fits
        quick = choose_plan(program, Goal(0.0, goal.fed_by_rows))
        budget = self._budget(quick.program, quick.plan)
        flash_is_full = any(region.left_bytes < 0 for region in budget.regions if region.kind == "flash")
        if budget.fits or goal.more_work <= 0:
            return quick.program, budget, True
        if slow or flash_is_full:
            return quick.program, budget, False
        planned = choose_plan(program, goal)
        return planned.program, self._budget(planned.program, planned.plan), True

    def _budget(self, program: Program, plan: Plan) -> Budget:
        options = self.options
        sizes = estimate_app_sizes(program, self.board, options.app, options.toolchain)
        placed = place(program, plan, self.board, sizes, options.limits)
        return make_budget(self.board, program, placed, sizes, options.limits)


def built(candidate: Candidate) -> Any:
    """The candidate's untrained network, None where its builder does not take these options together."""
    import_keras()
    try:
        return candidate.build()
    except (ValueError, ZeroDivisionError, UsageError):
        return None


def least_weight_bytes(model: Any) -> int:
    """What the kernels take in flash at least: a byte a weight, a bit where few values can be packed."""
    kernels = [weight for weight in model.weights if len(weight.shape) > 1]
    return sum(prod(kernel.shape) // (8 if _few_values(kernel) else 1) for kernel in kernels)


def _few_values(kernel: Any) -> bool:
    return len(np.unique(np.asarray(kernel).reshape(-1)[:LOOKED_AT])) <= MOST_PACKED_VALUES


def available_bytes(board: Board, options: Options) -> tuple[int, int]:
    """The flash, and the SRAM of all regions that may hold the arena; a limit of the user's narrows the primary one."""
    limits, flash_bytes = options.limits, board.flash.available_bytes
    if limits.sram_bytes is not None:
        sram_bytes = min(limits.sram_bytes, board.ram.available_bytes)
    else:
        sram_bytes = board.ram.available_bytes + sum(room.free_bytes for room in rooms(board, 0) if not room.primary)
    return min(limits.flash_bytes or flash_bytes, flash_bytes), sram_bytes
