"""The profile: what each step of the network takes, from what an emulator counted, and how a terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tinyml.board import Board
from tinyml.lower.program import Program
from tinyml.plan.cost import Estimate, estimate
from tinyml.plan.instruction_mix import InstructionMix, total
from tinyml.report.results import LayerProfile, ProfileResult

BAR_WIDTH = 16


def step_symbol(index: int) -> str:
    """The function of the program's ``index``-th step in the generated C."""
    return f"network_step_{index:03d}"


def profile_layers(
    program: Program, board: Board, mixes: Mapping[str, InstructionMix], code: Mapping[str, int]
) -> tuple[tuple[LayerProfile, ...], Estimate]:
    """A profile of every step of ``program`` and the estimate of the whole inference.

    ``mixes`` has what each function executed, ``code`` the bytes of each.
    """
    whole = estimate(total(mixes.values()), board)
    layers = []
    for index, step in enumerate(program.steps):
        mix = mixes.get(step_symbol(index), InstructionMix())
        cost = estimate(mix, board)
        layers.append(
            LayerProfile(
                step.name,
                step.kind,
                step.kernel,
                step.macs,
                mix.instructions,
                code.get(step_symbol(index), 0),
                step.reason,
                cost.cycles,
                cost.latency_ms,
                cost.energy_uj,
                cost.cycles / max(whole.cycles, 1),
                step.passed_over,
            )
        )
    return tuple(layers), whole


def profile_report(result: ProfileResult) -> list[RenderableType]:
    """The lines of ``tinyml profile``: a row a layer, the longest bar for the most cycles."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("layer", overflow="fold")
    table.add_column("op", no_wrap=True)
    for heading in ("MACs", "instructions", "per MAC", "≈ cycles", "≈ ms", "≈ µJ", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("code", justify="right")
    table.add_column("kernel and why", overflow="fold")
    largest = max((layer.share for layer in result.layers), default=0.0) or 1.0
    for layer in result.layers:
        table.add_row(
            layer.name,
            layer.op,
            f"{layer.macs:,}" if layer.macs else "",
            f"{layer.instructions:,}",
            f"{layer.instructions / layer.macs:.2f}" if layer.macs else "",
            f"{layer.cycles:,}",
            f"{layer.latency_ms:.3f}",
            _microjoules(layer.energy_uj),
            f"{100 * layer.share:.1f} %",
            "█" * round(BAR_WIDTH * layer.share / largest),
            f"{layer.code_bytes:,}",
            f"{layer.kernel}: {layer.reason}" if layer.reason else layer.kernel,
        )
    lines: list[RenderableType] = [*(Text(fact) for fact in profile_facts(result)), Text(""), table]
    return lines + [Text(f"warning: {w}", style="yellow") for w in result.warnings]


def profile_facts(result: ProfileResult) -> tuple[str, str]:
    """The whole inference in two sentences: what was counted, and what is estimated from it."""
    estimates = f"estimates: {result.cycles:,} cycles, {result.latency_ms:.3g} ms at {result.clock_hz / 1e6:g} MHz"
    return (
        f"{result.model} on {result.board} ({result.core}): {result.instructions:,} instructions an inference,"
        f" exact, counted in {result.emulator}; {result.macs:,} MACs; built with {result.toolchain}"
        f" and --optimize {result.optimize}",
        estimates if result.energy_uj is None else f"{estimates}, {result.energy_uj:,.0f} µJ",
    )


def _microjoules(energy_uj: float | None) -> str:
    return "" if energy_uj is None else f"{energy_uj:.1f}"
