"""Measures the catalogue: entries, untrained, through conversion, planning, each board's budget and emulation.

``python -m tinyml.models_table [--counts] [NAME ...]`` rewrites ``tinyml/models/figures.json``, the named entries only
where names are given; ``--counts`` counts parameters and MACs and goes no further. Without names, entries that have
only counts so far get only counts again. It needs TensorFlow and a GCC for Cortex-M.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyml.boards import Board, list_boards, load_board
from tinyml.emulate.compare import compare
from tinyml.emulate.run import run_firmware
from tinyml.emulate.stimuli import proof_stimuli
from tinyml.errors import DoesNotFitError, MismatchError, UnsupportedError
from tinyml.files import write_file
from tinyml.graph.check import check_supported
from tinyml.graph.ir import Graph
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower, target_of
from tinyml.lower.program import Optimize, Program, Target
from tinyml.models.catalog import CATALOG, Entry, build_model, find_entry
from tinyml.models.counting import count, count_macs, count_parameters
from tinyml.models.figures import FIGURES_PATH, REFERENCE_BOARD, Figures, read_figures
from tinyml.pipeline import Options, application, emulate
from tinyml.pipeline.compiled import Fitted, fit_to_board
from tinyml.plan.choose import Planned, choose_plan
from tinyml.sources import UNTRAINED_SEED, ModelSource
from tinyml.sources import convert_untrained as convert_to_int8
from tinyml.tflite.quiet import import_keras
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

APP = "benchmark"
TOOLCHAIN = "gcc"
ROOMY_FLASH_BYTES, ROOMY_RAM_BYTES = 128 << 20, 64 << 20
LARGE_MACS = 100_000_000
"""Networks with more are run on one random input, and at once where there is memory for everything."""
COUNTING_TIMEOUT_S = 1800.0
_FILTERED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True, slots=True)
class Untrained:
    """An entry with random weights as int8, and what its definition counts."""

    source: ModelSource
    parameters: int
    macs: int


def convert_untrained(entry: Entry) -> Untrained:
    """Build and convert ``entry``.

    Random weights have no bearing on sizes except through constants that happen to be equal.
    """
    keras = import_keras()
    keras.utils.set_random_seed(UNTRAINED_SEED)
    model = build_model(entry.name, batch_size=1)
    source = ModelSource(entry.name, convert_to_int8(model), f"tinyml:{entry.name} (untrained)", calibrated=False)
    found = Untrained(source, count_parameters(model), count_macs(model))
    keras.backend.clear_session()
    return found


def measure(entry: Entry, boards: Iterable[Board], network: Untrained | None = None) -> Figures:
    """Lower and plan ``entry`` with random weights, and see on which of ``boards`` it fits.

    Raises UnsupportedError where it has an op that the compiler does not know.
    """
    network = network or convert_untrained(entry)
    graph = read_graph(network.source.content, name=entry.name)
    check_supported(graph)
    plans = _Plans(run_passes(graph))
    ordered = sorted(boards, key=lambda b: (b.ram.available_bytes, b.name))
    fitting = [board.name for board in ordered if plans.fit(board, Optimize.BALANCED)]
    smaller = [board.name for board in ordered if board.name not in fitting and plans.fit(board, Optimize.SIZE)]
    reference = next(board for board in ordered if board.name == REFERENCE_BOARD)
    choice = plans.get(reference, Optimize.BALANCED).choice
    return Figures(
        entry.name,
        network.parameters,
        network.macs,
        choice.program.weights_bytes,
        choice.plan.arena_bytes,
        boards=tuple(fitting),
        boards_optimize_size=tuple(smaller),
    )


class _Plans:
    """A graph's programs and plans, made once for each target, on boards."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[Target, tuple[Program, Planned]] = {}
        self._filters_bytes = least_filter_bytes(graph)
        ends = (sum(graph.tensors[t].size_bytes for t in tensors) for tensors in (graph.inputs, graph.outputs))
        self._ends_bytes = max(ends)

    def get(self, board: Board, optimize: Optimize) -> Fitted:
        target = target_of(board, optimize)
        if target not in self._known:
            program = lower(self._graph, target)
            self._known[target] = program, choose_plan(program)
        options = Options(app=APP, toolchain=TOOLCHAIN, optimize=optimize.value)
        return fit_to_board(*self._known[target], board, options)

    def fit(self, board: Board, optimize: Optimize) -> bool:
        """Whether ``board`` holds it; without a plan where the filters alone fill the flash, or the input the RAM."""
        ram_bytes = sum(region.available_bytes for region in board.regions if region.kind == "ram")
        possible = self._filters_bytes <= board.flash.available_bytes and self._ends_bytes <= ram_bytes
        return possible and self.get(board, optimize).budget.fits


def least_filter_bytes(graph: Graph) -> int:
    """What the filters take in flash at least, whatever the kernels: a byte a weight, identical arrays once.

    Those of two values, which kernels may keep as bits, are left out.
    """
    tensors = {op.inputs[1] for op in graph.ops if op.kind in _FILTERED}
    arrays = [data for index in sorted(tensors) if (data := graph.tensors[index].data) is not None]
    contents = {np.ascontiguousarray(array).tobytes() for array in arrays if array.dtype == np.int8}
    return sum(len(content) for content in contents if len(set(content)) > 2)


def count_only(entry: Entry) -> Figures:
    """Parameters and MACs of the definition, without weights and without the compiler."""
    counts = count(entry.name)
    return Figures(entry.name, counts.parameters, counts.macs)


def roomy_board() -> Board:
    """The reference board with as much memory as any network here takes: for counting, no chip has it."""
    board = load_board(REFERENCE_BOARD)
    flash = replace(board.flash, size_bytes=ROOMY_FLASH_BYTES)
    ram = replace(board.ram, size_bytes=ROOMY_RAM_BYTES)
    emulators = tuple(emulator for emulator in board.emulators if emulator.kind == "unicorn")
    return replace(board, regions=(flash, ram), emulators=emulators)


def count_instructions(network: Untrained) -> int:
    """Instructions of one inference on a Cortex-M4F, in emulation, outputs proven equal to the reference's.

    Raises MismatchError where an output differs, BuildError where it takes longer than :data:`COUNTING_TIMEOUT_S`.
    """
    if network.macs <= LARGE_MACS:
        options = Options(toolchain=TOOLCHAIN, inputs=1)
        try:
            found = emulate(network.source, load_board(REFERENCE_BOARD), options=options).instructions
        except DoesNotFitError:
            found = emulate(network.source, roomy_board(), options=options).instructions
        assert found is not None
        return found
    return count_once(network)


def count_once(network: Untrained) -> int:
    """As :func:`count_instructions`, on one random input."""
    reference = Reference(network.source.content)
    with application(network.source, roomy_board(), options=Options(toolchain=TOOLCHAIN)) as (compiled, built):
        drawn = proof_stimuli(compiled.graph, 1)[::-1]
        stimulus = next((one for one in drawn if reference.defined(one.arrays)), drawn[0])
        run = run_firmware(built.elf, compiled.board, [stimulus.content], timeout_s=COUNTING_TIMEOUT_S)
        comparison = compare(compiled.graph, run, reference, [stimulus])
    if not comparison.equal or run.instructions is None:
        raise MismatchError(f"{network.source.name} differs from the reference: {comparison.first}")
    return run.instructions


def write_figures(names: Iterable[str], *, counts: bool = False, path: Path = FIGURES_PATH) -> None:
    """Measure the named entries (all of them where there are no names) and rewrite the file after each, others kept."""
    wanted = {find_entry(name).name for name in names}
    boards = list_boards()
    for entry in CATALOG:
        known = read_figures(path).get(entry.name)
        if wanted and entry.name not in wanted:
            continue
        print(f"measuring {entry.name}", file=sys.stderr)
        only_counts = counts or (not wanted and known is not None and not known.planned)
        _put(path, count_only(entry) if only_counts else _measured(entry, boards))


def _measured(entry: Entry, boards: Iterable[Board]) -> Figures:
    try:
        network = convert_untrained(entry)
        figures = measure(entry, boards, network)
    except UnsupportedError as error:
        print(f"{entry.name}: {error.message}", file=sys.stderr)
        return count_only(entry)
    try:
        return replace(figures, instructions=count_instructions(network))
    except UnsupportedError as error:
        print(f"{entry.name} is not counted: {error.message}", file=sys.stderr)
        return figures


def _put(path: Path, figures: Figures) -> None:
    """Write one row; the file is read anew, so that two measurements may run side by side."""
    rows = read_figures(path) | {figures.name: figures}
    ordered = [rows[entry.name] for entry in CATALOG if entry.name in rows]
    content = {
        "about": f"written by python -m tinyml.models_table; weights and arena on {REFERENCE_BOARD}",
        "models": {row.name: row.to_json() for row in ordered},
    }
    write_file(path, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write_figures([name for name in sys.argv[1:] if name != "--counts"], counts="--counts" in sys.argv)
