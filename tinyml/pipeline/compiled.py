"""A model compiled for a board: source → graph → passes → program → plan, and what the user may choose of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyml import debug
from tinyml.boards import Board, load_board, with_console
from tinyml.errors import UsageError
from tinyml.firmware.app_memory import estimate_app_sizes
from tinyml.firmware.apps import require_app
from tinyml.firmware.kws import APP as KEYWORDS
from tinyml.firmware.kws import keyword_model
from tinyml.firmware.kws_stream import Choice, choose_hop
from tinyml.graph.check import check_supported
from tinyml.graph.ir import Graph
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower, target_of
from tinyml.lower.program import Optimize, Program, Target
from tinyml.lower.streaming import stream
from tinyml.plan.budget import Budget, Limits, flash_overflows_by_code, make_budget
from tinyml.plan.choose import Goal, Planned, choose_plan, roomier_plans
from tinyml.plan.packed_weights import Choice as PackedChoice
from tinyml.plan.packed_weights import PackedWeights, arena_room_bytes, choose_packed
from tinyml.plan.planner import Plan, check_plan
from tinyml.plan.realtime import network_instructions
from tinyml.plan.regions import place
from tinyml.sources import ModelSource, load_source
from tinyml.tflite.read import read_graph

DEFAULT_INPUTS = 8
STREAMING_APPS = ("benchmark", KEYWORDS)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose of a build; the defaults are the command line's.

    ``inputs`` random inputs are proven besides the three extremes; ``input_files`` are run as well and reported;
    ``labels`` name the classes where the model does not. ``hop_rows`` are the rows that each inference adds to a
    window that slides along time, 0 where it shall take the whole input; None leaves it to the application.
    ``console`` is the line it goes to: the ``board``'s own, ``usb`` for its USB socket, ``auto`` for the usual one.
    ``force`` overwrites files of the project's folder that were edited.
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
    hop_rows: int | None = None
    console: str = "auto"
    force: bool = False


@dataclass(frozen=True, slots=True)
class WholeInput:
    """A network for whole inputs: its arena, its MACs, and about how many instructions an inference takes."""

    arena_bytes: int
    macs: int
    instructions: int


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A model compiled for a board, up to but not including C.

    ``whole_plan`` is the plan before it was spread over the board's RAMs. ``more_work`` and ``least_bytes`` are those
    of :class:`tinyml.plan.choose.Planned`. ``whole`` is what the network would be for whole inputs where it streams
    along time, ``not_streamed`` why a network that could have does not.
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
    whole: WholeInput | None = None
    not_streamed: str = ""


def compile_model(model: Any, board: str | Board, options: Options | None = None) -> Compiled:
    """Source → graph → passes → program → plan.

    Raises UsageError, UnsupportedError as the stages do.
    """
    options = options or Options()
    loaded = board if isinstance(board, Board) else load_board(board)
    target_board = with_console(loaded, options.console, options.app)
    require_app(options.app, target_board)
    source = load_source(model)
    graph = read_graph(source.content, name=source.name, match=options.match)
    check_supported(graph)
    debug.show(1, "read", graph)
    graph = run_passes(graph)
    debug.show(2, "passes", graph)
    target = target_of(target_board, Optimize(options.optimize))
    choice_of_hop = _choose_hop(graph, target, target_board, source, options)
    program = lower(graph, target, choice_of_hop.streamed)
    debug.show(3, "lowered", program)
    fitted = fit_to_board(program, choose_plan(program, options.memory), target_board, options)
    choice, planned = fitted.choice, fitted.planned
    check_plan(choice.program, fitted.plan)
    debug.show(4, "plan", fitted.plan)
    return Compiled(
        source, target_board, graph, choice.program, fitted.plan, choice.plan, choice.packed, planned.more_work,
        planned.least_bytes, _whole(graph, target, options) if program.hop else None, choice_of_hop.cause,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A plan on a board: what of its weights is packed, where its arena lies, and its budget, partly estimated."""

    planned: Planned
    choice: PackedChoice
    plan: Plan
    budget: Budget


def fit_to_board(program: Program, planned: Planned, board: Board, options: Options) -> Fitted:
    """``planned``, the plan of ``program`` for ``options.memory``, in ``board``'s memory, its weights packed.

    Running by rows takes code. Where that code is what overflows the flash, a plan of a larger arena and fewer steps
    by rows is taken that fits, the smallest that is tried.
    """
    sizes = estimate_app_sizes(program, board, options.app, options.toolchain)
    room_bytes = arena_room_bytes(board, sizes, options.limits)

    def fitted(one: Planned) -> Fitted:
        choice = choose_packed(one.program, one.plan, room_bytes)
        plan = place(choice.program, choice.plan, board, sizes, options.limits)
        estimated = estimate_app_sizes(choice.program, board, options.app, options.toolchain)
        return Fitted(one, choice, plan, make_budget(board, choice.program, plan, estimated, options.limits))

    found = fitted(planned)
    if flash_overflows_by_code(found.budget) and planned.program.segments:
        others = (fitted(other) for other in roomier_plans(program, planned, options.memory))
        return next((other for other in others if other.budget.fits), found)
    return found


def _choose_hop(graph: Graph, target: Target, board: Board, source: ModelSource, options: Options) -> Choice:
    """What the user wants, or for sound what the application finds."""
    if options.hop_rows:
        if options.app not in STREAMING_APPS:
            raise UsageError(f"the application {options.app} takes whole inputs", hint="leave out --hop-rows")
        if options.memory.fed_by_rows:
            raise UsageError("--rows and --hop-rows are two ways to take an input", hint="leave one of them out")
        return Choice(stream(graph, options.hop_rows, _frames(graph, source, options)))
    if options.app != KEYWORDS:
        return Choice(None)
    if options.hop_rows == 0 or options.memory.fed_by_rows:
        return Choice(None, "it was left out" if options.hop_rows == 0 else "the input comes row by row")
    return choose_hop(graph, target, board, source.labels or graph.labels or options.labels, source.manifest)


def _frames(graph: Graph, source: ModelSource, options: Options) -> int | None:
    """The frames of a keyword model's input, which may lie in any shape."""
    if options.app != KEYWORDS:
        return None
    return keyword_model(graph, source.labels or graph.labels or options.labels, source.manifest).window_frames


def _whole(graph: Graph, target: Target, options: Options) -> WholeInput:
    program = lower(graph, target)
    arena_bytes = choose_plan(program, options.memory).plan.arena_bytes
    return WholeInput(arena_bytes, program.macs, network_instructions(program))
