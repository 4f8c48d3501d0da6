"""A model compiled for a board: source → graph → passes → program → plan, and what the user may choose of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyml import debug
from tinyml.boards import Board, load_board
from tinyml.firmware.app_memory import estimate_app_sizes
from tinyml.firmware.apps import require_app
from tinyml.graph.check import check_supported
from tinyml.graph.ir import Graph
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower, target_of
from tinyml.lower.program import Optimize, Program
from tinyml.plan.budget import Limits
from tinyml.plan.choose import Goal, choose_plan
from tinyml.plan.packed_weights import PackedWeights, arena_room_bytes, choose_packed
from tinyml.plan.planner import Plan, check_plan
from tinyml.plan.regions import place
from tinyml.sources import ModelSource, load_source
from tinyml.tflite.read import read_graph

DEFAULT_INPUTS = 8


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose of a build; the defaults are the command line's.

    ``inputs`` random inputs are proven besides the three extremes; ``input_files`` are run as well and reported;
    ``labels`` name the classes where the model does not.
    """

    app: str = "benchmark"
    optimize: str = "balanced"
    match: str = "litert"
    toolchain: str = "auto"
    emulator: str = "auto"
    inputs: int = DEFAULT_INPUTS
    input_files: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ()
    seed: int = 0
    trace: bool = False
    limits: Limits = field(default_factory=Limits)
    memory: Goal = field(default_factory=Goal)


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A model compiled for a board, up to but not including C.

    ``whole_plan`` is the plan before it was spread over the board's RAMs. ``more_work`` and ``least_bytes`` are those
    of :class:`tinyml.plan.choose.Planned`.
    """

    source: ModelSource
    board: Board
    graph: Graph
    program: Program
    plan: Plan
    whole_plan: Plan
    packed: tuple[PackedWeights, ...] = ()
    more_work: float = 0.0
    least_bytes: int | None = None


def compile_model(model: Any, board: str | Board, options: Options | None = None) -> Compiled:
    """Source → graph → passes → program → plan.

    Raises UsageError, UnsupportedError as the stages do.
    """
    options = options or Options()
    target_board = board if isinstance(board, Board) else load_board(board)
    require_app(options.app, target_board)
    source = load_source(model)
    graph = read_graph(source.content, name=source.name, match=options.match)
    check_supported(graph)
    debug.show(1, "read", graph)
    graph = run_passes(graph)
    debug.show(2, "passes", graph)
    program = lower(graph, target_of(target_board, Optimize(options.optimize)))
    debug.show(3, "lowered", program)
    sizes = estimate_app_sizes(program, target_board, options.app, options.toolchain)
    planned = choose_plan(program, options.memory)
    room_bytes = arena_room_bytes(target_board, sizes, options.limits)
    choice = choose_packed(planned.program, planned.plan, room_bytes)
    plan = place(choice.program, choice.plan, target_board, sizes, options.limits)
    check_plan(choice.program, plan)
    debug.show(4, "plan", plan)
    return Compiled(
        source, target_board, graph, choice.program, plan, choice.plan, choice.packed, planned.more_work,
        planned.least_bytes,
    )  # fmt: skip
