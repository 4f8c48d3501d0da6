"""Measures the catalogue: every entry, untrained, through conversion, lowering, planning and the budget of each board.

``python -m tinyml.report.figures [NAME ...]`` rewrites ``tinyml/models/figures.json``, the named entries only where
names are given. It needs TensorFlow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tinyml.boards import Board, list_boards
from tinyml.files import write_file
from tinyml.graph.check import check_supported
from tinyml.graph.ir import Graph
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower, target_of
from tinyml.lower.program import Optimize, Program, Target
from tinyml.models.catalog import CATALOG, Entry, build_model, find_entry
from tinyml.models.counting import count_macs, count_parameters
from tinyml.models.figures import FIGURES_PATH, REFERENCE_BOARD, Figures, load_figures
from tinyml.plan.budget import Limits, make_budget
from tinyml.plan.choose import choose_plan
from tinyml.plan.code_size import estimate_sizes
from tinyml.plan.planner import Plan
from tinyml.plan.regions import place
from tinyml.sources import UNTRAINED_SEED, convert_random
from tinyml.tflite.quiet import import_keras
from tinyml.tflite.read import read_graph

APP = "benchmark"
TOOLCHAIN = "gcc"


def measure(entry: Entry, boards: Iterable[Board]) -> Figures:
    """Build, convert, lower and plan ``entry`` with random weights, and see on which of ``boards`` it fits.

    Random weights have no bearing on sizes except through constants that happen to be equal.
    """
    keras = import_keras()
    keras.utils.set_random_seed(UNTRAINED_SEED)
    model = build_model(entry.name, batch_size=1)
    graph = read_graph(convert_random(model), name=entry.name)
    check_supported(graph)
    graph = run_passes(graph)
    parameters, macs = count_parameters(model), count_macs(model)
    keras.backend.clear_session()
    plans = _Plans(graph)
    ordered = sorted(boards, key=lambda b: (b.ram.available_bytes, b.name))
    fitting = [board.name for board in ordered if plans.fit(board, Optimize.BALANCED)]
    smaller = [board.name for board in ordered if board.name not in fitting and plans.fit(board, Optimize.SIZE)]
    reference = next(board for board in ordered if board.name == REFERENCE_BOARD)
    program, plan = plans.get(reference, Optimize.BALANCED)
    return Figures(
        entry.name,
        parameters,
        macs,
        program.weights_bytes,
        plan.arena_bytes,
        tuple(fitting),
        tuple(smaller),
    )


class _Plans:
    """A graph's programs and plans, made once for each target."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[Target, tuple[Program, Plan]] = {}

    def get(self, board: Board, optimize: Optimize) -> tuple[Program, Plan]:
        target = target_of(board, optimize)
        if target not in self._known:
            planned = choose_plan(lower(self._graph, target))
            self._known[target] = planned.program, planned.plan
        return self._known[target]

    def fit(self, board: Board, optimize: Optimize) -> bool:
        program, plan = self.get(board, optimize)
        sizes = estimate_sizes(program, board, APP, TOOLCHAIN)
        return make_budget(board, program, place(program, plan, board, sizes, Limits()), sizes).fits


def write_figures(names: Iterable[str], path: Path = FIGURES_PATH) -> None:
    """Measure the named entries (all of them where there are no names) and rewrite the file, others kept."""
    everything = {entry.name for entry in CATALOG}
    wanted = {find_entry(name).name for name in names} or everything
    known = load_figures() if wanted != everything else {}
    boards = list_boards()
    rows = {}
    for entry in CATALOG:
        if entry.name in wanted or entry.name not in known:
            print(f"measuring {entry.name}", file=sys.stderr)
            rows[entry.name] = measure(entry, boards)
        else:
            rows[entry.name] = known[entry.name]
    content = {
        "about": f"written by python -m tinyml.report.figures; weights and arena on {REFERENCE_BOARD}",
        "models": {name: figures.to_json() for name, figures in rows.items()},
    }
    write_file(path, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write_figures(sys.argv[1:])
