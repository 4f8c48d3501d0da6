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
from tinyml.plan.code_size import TABLE, features, fit
from tinyml.plan.planner import Plan, make_plan

APP = "benchmark"
RIDGE = 1e-3
REFERENCE_BOARDS = ("nucleo_l4r5zi", "mps2-an385", "mps3-an547", "pico")
"""One board an instruction set, each with room for large models."""
GOALS = ("balanced", "size", "speed")


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


def _toolchain(toolchain: str, models: Sequence[str]) -> dict[str, Any]:
    kernels: dict[str, Any] = {}
    for board in map(load_board, REFERENCE_BOARDS):
        samples: dict[str, list[tuple[dict[str, float], float, float]]] = defaultdict(list)
        ops: dict[str, str] = {}
        for model in models:
            for goal in GOALS:
                _sample(model, board, Options(toolchain=toolchain, optimize=goal), samples, ops)
        kernels[board.isa_name] = {
            kernel: {
                "op": ops[kernel],
                "code": fit([(found, code) for found, code, _ in rows], RIDGE),
                "stack": fit([(found, stack) for found, _, stack in rows], RIDGE),
            }
            for kernel, rows in sorted(samples.items())
        }
    boards = {f"{board.name}/{APP}": _base(board, Options(toolchain=toolchain)) for board in list_boards()}
    return {"boards": boards, "kernels": kernels}


def _sample(
    model: str,
    board: Board,
    options: Options,
    samples: dict[str, list[tuple[dict[str, float], float, float]]],
    ops: dict[str, str],
) -> None:
    compiled = compile_model(model, board, options)
    try:
        code, stack, _ = _build(board, compiled.program, compiled.plan, options)
    except DoesNotFitError:
        sys.stderr.write(f"left out: {model} does not fit {board.name}\n")
        return
    leaders = {index: group[0] for group in shared_groups(compiled.program) for index in group}
    for index, step in enumerate(compiled.program.steps):
        if leaders.get(index, index) != index:
            continue
        names = (f"network_step_{index:03d}", f"network_kernel_{index:03d}")
        row = (features(step), sum(code.get(n, 0) for n in names), sum(stack.get(n, 0) for n in names))
        samples[step.kernel].append(row)
        ops[step.kernel] = step.kind
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
