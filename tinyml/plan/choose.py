"""Which plan a program gets: the least memory for a limit of more work.

A :class:`Goal` says what the plan may cost; :func:`choose_plan` searches (:mod:`tinyml.plan.search`), places what the
search found, and keeps the smallest arena that it could place. A path's peak counts bytes that are live at once;
placing them can take more, and then paths with other peaks are placed as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinyml.errors import UnsupportedError
from tinyml.lower.program import Program
from tinyml.lower.rows import geometry, row_steps_of
from tinyml.plan.cuts import program_of
from tinyml.plan.parts import Links, with_parts_in_place
from tinyml.plan.planner import Plan, least_bytes_at_once, make_plan
from tinyml.plan.search import Path, Search

DEFAULT_MORE_WORK = 0.05
LEAST_SAVED_PART = 0.03
"""What of the arena running by rows has to save to be worth its code, unless the least memory is wanted."""
ROOMIER_FACTOR = 1.15
"""By how much the arena may grow from one plan to the next where code is what has to go."""
_PLACED_PATHS = 4


@dataclass(frozen=True, slots=True)
class Goal:
    """What a plan may cost: at most ``more_work`` times more instructions than one step after the other (estimated).

    0 for no step by rows, infinity for the least memory. ``fed_by_rows``: the input is not in memory, its rows come one
    by one.
    """

    more_work: float = DEFAULT_MORE_WORK
    fed_by_rows: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A program, whose segments run by rows, with its plan.

    ``more_work`` is what running by rows adds to the instructions, as a part (estimated). ``least_bytes`` bounds every
    plan of this kind from below, however many instructions it may take: the bytes that are live at once in the best;
    None where no other plan was looked for.
    """

    program: Program
    plan: Plan
    more_work: float = 0.0
    least_bytes: int | None = None


def choose_plan(program: Program, goal: Goal | None = None) -> Planned:
    """The plan of least memory for ``goal``.

    A program that streams along time runs one step after the other, as its rows are few. Raises UnsupportedError where
    the input is to come by rows and the first layer cannot take it so.
    """
    goal = goal or Goal()
    if program.hop is not None:
        return Planned(program, make_plan(program))
    if goal.fed_by_rows:
        _require_feedable(program)
        program = replace(program, fed_by_rows=True)
    elif goal.more_work <= 0:
        return _in_place(Planned(program, make_plan(program)))
    search = Search(program, row_steps_of(program))
    base_work = sum(search.cuts.step_works)
    most_work = math.inf if math.isinf(goal.more_work) else base_work * (1 + goal.more_work)
    found: list[Planned] = []
    links_of: list[Links] = []
    path = search.within(most_work)
    if path is None:
        raise UnsupportedError(
            "the input cannot come row by row: no chain of layers takes it so",
            hint="a row's bytes have to be a multiple of four, and so a row's of every layer of the chain",
        )
    for _ in range(_PLACED_PATHS):
        chosen = program_of(search.cuts, path.edges)
        plan = make_plan(chosen, path.links)
        found.append(Planned(chosen, plan, max(0.0, path.work / base_work - 1) if chosen.segments else 0.0))
        links_of.append(path.links)
        smallest = min(p.plan.arena_bytes for p in found)
        following = _next_path(search, path, most_work, smallest)
        if plan.arena_bytes <= path.peak_bytes or following is None:
            break
        path = following
    best = min(found, key=lambda p: (p.plan.arena_bytes, p.more_work))
    links = links_of[found.index(best)]
    enough_bytes = best.plan.arena_bytes * (1 if math.isinf(goal.more_work) else 1 + LEAST_SAVED_PART)
    if not goal.fed_by_rows and least_bytes_at_once(program) <= enough_bytes:
        whole = Planned(program, make_plan(program))
        best = whole if whole.plan.arena_bytes <= enough_bytes else best
    return replace(_in_place(best, links), least_bytes=search.least_bytes())


def roomier_plans(program: Program, planned: Planned, goal: Goal | None = None) -> Iterator[Planned]:
    """Plans of ``program`` with larger arenas and less code than ``planned``, its plan for ``goal``: smallest first.

    Each is that of the least work whose peak is up to a :data:`ROOMIER_FACTOR` higher than the one before, so that ever
    fewer steps run by rows; the last runs one step after the other. None where the input comes by rows.
    """
    if not planned.program.segments or program.hop is not None or (goal or Goal()).fed_by_rows:
        return
    search = Search(program, row_steps_of(program))
    base_work = sum(search.cuts.step_works)
    segments = planned.program.segments
    peak_bytes, least_whole_bytes = planned.plan.arena_bytes, least_bytes_at_once(program)
    while (peak_bytes := math.ceil(peak_bytes * ROOMIER_FACTOR)) < least_whole_bytes:
        path = search.least_work(peak_bytes)
        if path is None:
            continue
        chosen = program_of(search.cuts, path.edges)
        if not chosen.segments:
            break
        if chosen.segments != segments:
            segments = chosen.segments
            more_work = max(0.0, path.work / base_work - 1)
            found = _in_place(Planned(chosen, make_plan(chosen, path.links), more_work), path.links)
            yield replace(found, least_bytes=planned.least_bytes)
    yield replace(_in_place(Planned(program, make_plan(program))), least_bytes=planned.least_bytes)


def _in_place(planned: Planned, links: Links = None) -> Planned:
    found = with_parts_in_place(planned.program, planned.plan, links)
    return replace(planned, program=found.program, plan=found.plan)


def _next_path(search: Search, path: Path, most_work: float, smallest_bytes: int) -> Path | None:
    """Another path whose peak, somewhat higher, is still below the smallest arena that was placed."""
    step = max((smallest_bytes - path.peak_bytes) // _PLACED_PATHS, 1)
    following = search.least_work(path.peak_bytes + step)
    if (
        following is None
        or following.edges == path.edges
        or following.peak_bytes >= smallest_bytes
        or following.work > most_work
    ):
        return None
    return following


def _require_feedable(program: Program) -> None:
    graph = program.graph
    if len(graph.inputs) != 1:
        raise UnsupportedError(
            f"the model has {len(graph.inputs)} inputs; only a single one can come row by row",
            hint="leave out --rows",
        )
    image = graph.inputs[0]
    readers = [op for op in graph.ops if image in op.inputs]
    for op in readers:
        if geometry(graph, op) is None or program.storage(op.outputs[0]) == image:
            raise UnsupportedError(
                f"the input cannot come row by row: {op.kind} ({op.name}) reads {list(graph.tensors[image].shape)}",
                hint="rows are those of an image [1, height, width, channels] that a convolution or pool reads",
            )
