"""``docs/kernels.md``: the kernel selection table in words, with what each kernel was measured to cost.

``python -m tinyml.kernels_page MODEL …`` profiles the models on one board of each instruction set, keeps the
instructions of every kernel in ``kernel_costs.json`` and rewrites the page; without models only the page. The planner
weighs its plans with these costs (``plan/work.py``). With ``--layers`` it measures the kinds of layers instead
(:mod:`tinyml.layers_table`), and the planner's costs stay.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from tinyml.boards import load_board
from tinyml.files import write_file
from tinyml.layers_table import LAYER_COSTS, layers_section, measure_layers
from tinyml.lower.kernels import KERNELS, KernelRow
from tinyml.pipeline import Options, profile
from tinyml.plan.choose import Goal

COSTS = Path(__file__).parent / "lower" / "kernel_costs.json"
PAGE = Path("docs") / "kernels.md"
BOARDS = ("mps2-an386", "mps2-an385", "mps3-an547", "pico")
WAYS = (("balanced", 0.0), ("speed", 0.0), ("balanced", math.inf))
"""Goals of the kernels and of the plan, in which a model is measured: a kernel counts in the first way that runs it."""

INTRODUCTION = """# Kernels

Which C kernel runs an op on an instruction set: the table of `tinyml/lower/kernels.py`, in its order. The first row
whose instruction set, goal and condition fit is taken; the portable row comes last and always fits. `tinyml profile`
shows the choice for every layer and the reason. This page is written by `python -m tinyml.kernels_page`.

Adding a kernel is a header in `firmware_templates/runtime/`, a file with its condition, packing and proof in
`tinyml/lower/`, a row in the table and a test in `tests/kernels/`.

| op | instruction sets | goals | kernel | condition |
|---|---|---|---|---|
"""

COSTS_HEADING = """
## Measured cost

Instructions of one inference over MLPerf Tiny's four models, GCC, every layer at once, summed over the layers that a
kernel ran; kernels that only run for speed, or only row by row, with those options. `tml_bits_conv2d` over the
catalogue's `bnn_32`, a network of weights and activations of one bit.

| instruction set | kernel | op | layers | instructions | MACs | instructions per MAC |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The page's text from the table and the kept measurements."""
    rows = "".join(_row(row) for row in KERNELS)
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    return INTRODUCTION + rows + COSTS_HEADING + "".join(_cost(cost) for cost in costs) + layers_section()


def _row(row: KernelRow) -> str:
    everywhere = len(row.isas) > 3
    isas = "all" if everywhere else ", ".join(sorted(isa.value for isa in row.isas))
    goals = "all" if len(row.optimize) == 3 else ", ".join(sorted(goal.value for goal in row.optimize))
    condition = " ".join((row.applies.__doc__ or "").split("\n\n")[0].split())
    return f"| {row.kind} | {isas} | {goals} | {row.note} | {condition} |\n"


def _cost(cost: dict[str, Any]) -> str:
    macs, instructions = cost["macs"], cost["instructions"]
    per_mac = f"{instructions / macs:.2f}" if macs else ""
    shown = f"{macs:,}" if macs else ""
    cells = (cost["isa"], f"`{cost['kernel']}`", cost["op"], cost["layers"], f"{instructions:,}", shown, per_mac)
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def measure(models: list[str]) -> list[dict[str, Any]]:
    """Profile ``models`` on a board of each instruction set; instructions, MACs and layers by kernel."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for board in map(load_board, BOARDS):
        for goal, more_work in WAYS:
            options = Options(toolchain="gcc", optimize=goal, memory=Goal(more_work=more_work))
            found: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
            for model in models:
                for layer in profile(model, board, None, options).layers:
                    if layer.instructions == 0:
                        continue
                    entry = found[(board.isa_name, layer.kernel, layer.op)]
                    entry[0] += 1
                    entry[1] += layer.instructions
                    entry[2] += layer.macs
                sys.stderr.write(f"{board.name} {goal} {model}\n")
            sums = found | sums
    return [
        {"isa": isa, "kernel": kernel, "op": op, "layers": n, "instructions": instructions, "macs": macs}
        for (isa, kernel, op), (n, instructions, macs) in sorted(sums.items())
    ]


def _with_others(costs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``costs`` and those that are kept of kernels which the measured models do not call."""
    measured = {(cost["isa"], cost["kernel"]) for cost in costs}
    kept = json.loads(COSTS.read_text(encoding="utf-8"))
    others = [cost for cost in kept if (cost["isa"], cost["kernel"]) not in measured]
    return sorted([*costs, *others], key=lambda cost: (cost["isa"], cost["kernel"], cost["op"]))


def main() -> None:
    """Measure where models are named, then rewrite the page."""
    parser = argparse.ArgumentParser(prog="python -m tinyml.kernels_page", description=__doc__)
    parser.add_argument("models", nargs="*", help="models to measure")
    parser.add_argument("--layers", action="store_true", help="measure kinds of layers, not the planner's costs")
    args = parser.parse_args()
    if args.models and args.layers:
        write_file(LAYER_COSTS, json.dumps(measure_layers(args.models), indent=1) + "\n")
    elif args.models:
        write_file(COSTS, json.dumps(_with_others(measure(args.models)), indent=1) + "\n")
    write_file(PAGE, page())


if __name__ == "__main__":
    main()
