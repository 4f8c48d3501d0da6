"""The verbs' results as text for a terminal, by rich; plain text where the output is no terminal."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyml.plan.budget import Budget, RegionUse
from tinyml.report.results import BuildResult, CheckResult, EmulationResult, SeveralResult

BAR_WIDTH = 24


def print_report(*parts: RenderableType) -> None:
    """Print to stdout, as wide as the terminal, at least 160 columns where it is a pipe."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(160, console.width))
    console.print(Group(*parts))


def as_text(*parts: RenderableType) -> str:
    """What :func:`print_report` prints, without colours."""
    text = io.StringIO()
    Console(file=text, highlight=False, width=160).print(Group(*parts))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def budget_table(budget: Budget) -> Table:
    """Used, available and left of every memory region, with what fills it."""
    table = Table(
        title=f"Memory on {budget.board}", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    table.add_column("region")
    for heading in ("used", "available", "left"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for region in budget.regions:
        style = "red" if region.left_bytes < 0 else ""
        table.add_row(
            f"{region.name} ({region.kind}{', your limit' if region.board_bytes is not None else ''})",
            f"{region.used_bytes:,}",
            f"{region.available_bytes:,}",
            Text(f"{region.left_bytes:,}", style=style),
            _bar(region),
        )
        for part in region.parts:
            mark = "" if part.exact else " estimate"
            table.add_row(Text(f"  {part.label}", style="dim"), f"{part.size_bytes:,}", "", "", Text(mark, style="dim"))
    return table


def _bar(region: RegionUse) -> Text:
    share = min(1.0, region.used_bytes / region.available_bytes) if region.available_bytes else 1.0
    filled = round(share * BAR_WIDTH)
    percent = 100 * region.used_bytes / region.available_bytes if region.available_bytes else 100.0
    return Text("█" * filled + "░" * (BAR_WIDTH - filled) + f" {percent:.1f} %")


def _by_rows(result: CheckResult) -> list[Text]:
    """What runs row by row, and what more of it would bring."""
    rows = result.by_rows
    if rows is None:
        return []
    chains = ", ".join(first if first == last else f"{first} to {last}" for first, last in rows.chains)
    lines = []
    if rows.chains:
        fed = "; the input comes row by row" if rows.fed_by_rows else ""
        lines.append(Text(f"row by row {chains}: about {100 * rows.more_work:.1f} % more instructions{fed}"))
    if rows.least_bytes is not None and rows.least_bytes < result.budget.arena_bytes:
        bound = f"no plan needs less than {rows.least_bytes:,} bytes"
        lines.append(Text(f"{bound}; --max-slowdown any looks for the least"))
    return lines


def check_report(result: CheckResult) -> list[RenderableType]:
    """The lines of ``tinyml check``."""
    budget = result.budget
    verdict = Text("fits", style="bold green") if result.fits else Text("does not fit", style="bold red")
    peak = budget.peak
    buffers = ", ".join(f"{name} {size:,}" for name, size in peak.buffers)
    lines: list[RenderableType] = [
        Text.assemble(f"{result.model} on {budget.board}: ", verdict),
        Text(f"MACs {result.macs:,}; weights {budget.weights_bytes:,} bytes{_packed(result)}"),
        Text(
            f"arena {budget.arena_bytes:,} bytes, lower bound {budget.arena_lower_bound_bytes:,},"
            f" of it scratch up to {budget.scratch_bytes:,}"
        ),
        Text(f"peak {peak.size_bytes:,} bytes at layer {peak.layer} ({peak.op}): {buffers}"),
        *_by_rows(result),
        *([Text(str(result.along_time))] if result.along_time else []),
        Text(""),
        budget_table(budget),
    ]
    return lines + [Text(f"warning: {w}", style="yellow") for w in result.warnings]


def _packed(result: CheckResult) -> str:
    """What packing saved, with the layer where it saved the most."""
    if not result.packed:
        return ""
    saved, best = sum(p.saved_bytes for p in result.packed), max(result.packed, key=lambda p: p.saved_bytes)
    layers = f"{len(result.packed)} layers" if len(result.packed) > 1 else "one layer"
    return (
        f", {saved:,} saved by packing those of {layers}"
        f" (the most in {best.layer}: {best.scheme}, {best.size_bytes:,} instead of {best.original_bytes:,} bytes)"
    )


def emulation_report(result: EmulationResult) -> list[RenderableType]:
    """The lines of the proof."""
    compared = f"{result.inputs} inputs"
    if result.traced_tensors:
        compared += f", {result.traced_tensors} tensors each"
    verdict = Text("equal", style="bold green") if result.equal else Text("DIFFERENT", style="bold red")
    lines: list[RenderableType] = [
        Text.assemble(f"outputs against {result.reference} in {result.emulator} ({compared}): ", verdict)
    ]
    if not result.equal:
        lines.append(Text(f"{result.mismatches} of {result.inputs} inputs differ; {result.first_difference}"))
    if result.instructions is not None:
        lines.append(Text(f"instructions of one inference: {result.instructions:,}"))
    if result.stack_used_bytes is not None:
        lines.append(Text(f"stack used in emulation: {result.stack_used_bytes:,} bytes"))
    for output in result.outputs:
        lines.append(Text(f"{output['input']}: {output['label']} ({output['score']:.3f})"))
    return lines


def build_report(result: BuildResult) -> list[RenderableType]:
    """The lines of ``tinyml build``."""
    lines = check_report(result.check)
    lines.append(Text(""))
    if result.emulation:
        lines += emulation_report(result.emulation)
    if result.audio:
        lines.append(Text(str(result.audio)))
    lines.append(Text(f"project {result.project}, built with {result.toolchain} in {result.seconds:.1f} s"))
    lines.append(Text(f"firmware {result.elf}"))
    return lines


def several_report(result: SeveralResult) -> list[RenderableType]:
    """The lines of ``tinyml build`` with several models: what each takes, what they share, the proof."""
    lines: list[RenderableType] = [Text(f"{len(result.networks)} networks on {result.budget.board}, one arena for all")]
    lines += [
        Text(
            f"{network.model}: MACs {network.macs:,}; weights {network.weights_bytes:,} bytes;"
            f" arena {network.arena_bytes:,} bytes"
        )
        for network in result.networks
    ]
    shared = Text(f"shared arena {result.budget.arena_bytes:,} bytes")
    lines += [shared, Text(""), budget_table(result.budget), Text("")]
    if result.emulator is not None:
        what = f"outputs against {result.reference} in {result.emulator} ({result.inputs} rounds of all networks): "
        lines.append(Text.assemble(what, Text("equal", style="bold green")))
    lines.append(Text(f"project {result.project}, built with {result.toolchain} in {result.seconds:.1f} s"))
    lines.append(Text(f"firmware {result.elf}"))
    return lines + [Text(f"warning: {w}", style="yellow") for w in result.warnings]
