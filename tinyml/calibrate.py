"""Measures what ``tinyml/plan/code_sizes.json`` holds: builds firmwares, reads their ELF files, fits the estimates.

``python -m tinyml.calibrate MODEL …`` builds every model (``.tflite`` files, catalogue names) for one board of each
instruction set with each installed toolchain, and one model for every board, and rewrites the table. It takes minutes
and is run whenever kernels or drivers change; a test compares estimates with fresh builds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyml.boards import Board, list_boards, load_board
from tinyml.codegen import generate
from tinyml.errors import BuildError, DoesNotFitError
from tinyml.files import write_file
from tinyml.firmware.build import build_project, choose_toolchain
from tinyml.firmware.image import read_image
from tinyml.firmware.measure import measure_sizes, stack_bound
from tinyml.firmware.project import render_project
from tinyml.graph.ir import DType, Graph, Quant, Tensor
from tinyml.lower.program import Isa, Program, Target
from tinyml.lower.sharing import shared_groups
from tinyml.pipeline import Options, compile_model
from tinyml.plan.budget import Sizes
from tinyml.plan.choose import Goal
from tinyml.plan.code_size import TABLE, features, fit
from tinyml.plan.planner import Plan, make_plan

APP = "benchmark"
RIDGE = 3e-2
REFERENCE_BOARDS = ("nucleo_l4r5zi", "mps2-an385", "mps3-an547", "pico")
"""One board an instruction set, each with room for large models."""
GOALS = ("balanced", "size")


def calibrate(models: Sequence[str]) -> dict[str, Any]:
    """Build ``models`` for all instruction sets and boards; gives the table that the estimates are read from."""
    return {toolchain: _toolchain(toolchain, models) for toolchain in _toolchains()}


def _toolchains() -> list[str]:
    found = []
    for toolchain in ("gcc", "zig"):
        try:
            found.append(choose_toolchain(toolchain))
        except BuildError as error:
            sys.stderr.write(f"left out: {error.message}\n")
    return found


@dataclass(slots=True)
class _Measured:
    """What the builds of one instruction set with one toolchain showed."""

    ops: dict[str, str] = field(default_factory=dict)
    steps: dict[str, list[tuple[dict[str, float], float, float]]] = field(default_factory=lambda: defaultdict(list))
    helpers: list[tuple[frozenset[str], float]] = field(default_factory=list)
    deeper: list[float] = field(default_factory=list)


def _toolchain(toolchain: str, models: Sequence[str]) -> dict[str, Any]:
    boards = {f"{board.name}/{APP}": _base(board, Options(toolchain=toolchain)) for board in list_boards()}
    kernels: dict[str, Any] = {}
    helpers: dict[str, Any] = {}
    for board in map(load_board, REFERENCE_BOARDS):
        found = _Measured()
        for model in models:
            for goal in GOALS:
                _sample(model, board, _options(toolchain, goal), boards[f"{board.name}/{APP}"], found)
        kernels[board.isa_name] = {
            kernel: {
                "op": found.ops[kernel],
                "code": fit([(row, code) for row, code, _ in rows], RIDGE),
                "stack": fit([(row, stack) for row, _, stack in rows], RIDGE),
            }
            for kernel, rows in sorted(found.steps.items())
        }
        helpers[board.isa_name] = {"code": _fit_helpers(found), "stack": round(sum(found.deeper) / len(found.deeper))}
    return {"boards": boards, "kernels": kernels, "helpers": helpers}


def _options(toolchain: str, goal: str) -> Options:
    """Every layer at once: what running by rows adds is estimated apart."""
    return Options(toolchain=toolchain, optimize=goal, memory=Goal(more_work=0.0))


def _fit_helpers(found: _Measured) -> dict[str, float]:
    """Bytes that each kernel brings along once, in functions shared by its steps: non-negative least squares."""
    from scipy.optimize import nnls

    names = sorted(found.ops)
    rows = [[float(name in used) for name in names] for used, _ in found.helpers]
    weights, _ = nnls(rows, [extra for _, extra in found.helpers])
    return {name: round(float(weight), 1) for name, weight in zip(names, weights, strict=True) if weight > 0}


def _sample(model: str, board: Board, options: Options, base: dict[str, Any], found: _Measured) -> None:
    compiled = compile_model(model, board, options)
    try:
        code, stack, sizes = _build(board, compiled.program, compiled.plan, options)
    except DoesNotFitError:
        sys.stderr.write(f"left out: {model} does not fit {board.name}\n")
        return
    leaders = {index: group[0] for group in shared_groups(compiled.program) for index in group}
    explained, deepest = 0.0, 0.0
    for index, step in enumerate(compiled.program.steps):
        names = (f"network_step_{index:03d}", f"network_kernel_{index:03d}")
        code_bytes, stack_bytes = (sum(table.get(n, 0) for n in names) for table in (code, stack))
        explained += code_bytes
        deepest = max(deepest, stack_bytes)
        if leaders.get(index, index) == index:
            found.steps[step.kernel].append((features(step), code_bytes, stack_bytes))
            found.ops[step.kernel] = step.kind
    kernels = frozenset(step.kernel for step in compiled.program.steps)
    found.helpers.append((kernels, max(0.0, sizes.code_bytes - base["code_bytes"] - explained)))
    found.deeper.append(sizes.stack_bytes - base["stack_bytes"] - deepest)
    sys.stderr.write(f"{board.isa_name} {options.toolchain} {options.optimize} {model}\n")


def _build(
    board: Board, program: Program, plan: Plan, options: Options
) -> tuple[dict[str, int], dict[str, int], Sizes]:
    """Code and stack frame of every function by name, and the sizes of the whole."""
    with tempfile.TemporaryDirectory(prefix="tinyml-calibrate-") as folder:
        sources = generate(program, plan)
        project = render_project(
            board, sources, app=APP, output_dir=Path(folder) / "project", toolchain=options.toolchain
        )
        built = build_project(project)
        code = {function.name: function.size_bytes for function in read_image(built.elf).functions}
        return code, stack_bound(built, board).frames, measure_sizes(built, board, program, plan)


def _base(board: Board, options: Options) -> dict[str, Any]:
    """What the firmware takes besides a network: that of an empty one, whose output is its input."""
    graph = Graph("empty", (Tensor("x", (1, 16), DType.INT8, Quant((1.0,), (0,))),), (), (0,), (0,))
    program = Program(graph, Target(Isa(board.isa_name)), ())
    _, _, sizes = _build(board, program, make_plan(program), options)
    sys.stderr.write(f"{options.toolchain} {board.name}\n")
    return {
        "isa": board.isa_name,
        "code_bytes": sizes.code_bytes,
        "stack_bytes": sizes.stack_bytes,
        "data_bytes": sizes.data_bytes,
        "bss_bytes": sizes.bss_bytes,
        "constants_bytes": sizes.constants_bytes,
    }


def main() -> None:
    """Rewrite the table from the models named on the command line."""
    table = calibrate(sys.argv[1:])
    write_file(TABLE, json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
