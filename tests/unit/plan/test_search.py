"""Paths through cuts, against every path there is on small programs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.row_chains import lowered, random_chain
from tinyml.lower.program import Program
from tinyml.lower.rows import row_steps_of
from tinyml.plan.cuts import Cuts, Edge
from tinyml.plan.search import Search

MOST_STEPS = 6
COUNTS = (1, 2, 3, 4)


def small_programs(seeds: range) -> Iterator[Program]:
    for seed in seeds:
        program = lowered(random_chain(seed))
        if len(program.steps) <= MOST_STEPS:
            yield program if seed % 3 else replace(program, fed_by_rows=True)


def all_paths(cuts: Cuts) -> Iterator[tuple[Edge, ...]]:
    """Every way from the first cut to the last."""
    steps = len(cuts.program.steps)

    def edges(first: int, last: int) -> list[Edge]:
        found = list(cuts.whole(first)) if first == last else []
        for count in COUNTS:
            found += cuts.by_rows(first, last, count) or []
        return found

    for bounds in itertools.product((False, True), repeat=steps - 1):
        starts = [0, *(i + 1 for i, cut in enumerate(bounds) if cut)]
        ends = [start - 1 for start in starts[1:]] + [steps - 1]
        yield from itertools.product(*(edges(a, b) for a, b in zip(starts, ends, strict=True)))


def height(cuts: Cuts, path: tuple[Edge, ...]) -> int:
    """The highest block of outputs over inputs, each at its distance."""
    highest, tensor, block = 0, -1, 0
    for edge in path:
        if edge.overlap is not None:
            above = block if edge.overlap.source == tensor else cuts.sizes[edge.overlap.source]
            tensor = edge.overlap.target
            block = max(cuts.sizes[tensor], edge.overlap.shift + above)
            highest = max(highest, block)
        elif tensor not in cuts.alive[edge.last + 1]:
            tensor, block = -1, 0
    return highest


def peak(cuts: Cuts, path: tuple[Edge, ...]) -> int:
    return max(height(cuts, path), *(edge.peak_bytes for edge in path))


@pytest.mark.parametrize("first", range(400, 460, 15))
def test_paths_are_the_best_there_are(first: int) -> None:
    compared = 0
    for program in small_programs(range(first, first + 15)):
        search = Search(program, row_steps_of(program))
        paths = list(itertools.islice(all_paths(search.cuts), 60_000))
        if len(paths) == 60_000:
            continue
        peaks = [peak(search.cuts, path) for path in paths]
        found = search.least_peak()
        if not paths:
            assert found is None
            continue
        assert found is not None
        least = min(peaks)
        assert least <= found.peak_bytes <= least + max(16, least // 400), "within the bisection's tolerance"
        works = [sum(edge.work for edge in path) for path in paths]
        allowed = [w for w, p in zip(works, peaks, strict=True) if p <= found.peak_bytes]
        assert found.work == pytest.approx(min(allowed))
        compared += 1
    assert compared


def test_a_limit_of_work_is_kept_where_it_can_be() -> None:
    checked = 0
    for program in small_programs(range(440, 470)):
        if program.fed_by_rows:
            continue
        search = Search(program, row_steps_of(program))
        base = sum(search.cuts.step_works)
        peaks = []
        for part in (0.0, 0.05, 0.2, math.inf):
            path = search.within(base * (1 + part))
            assert path is not None and path.work <= base * (1 + part)
            peaks.append(path.peak_bytes)
        assert peaks == sorted(peaks, reverse=True)
        checked += 1
    assert checked > 5


def test_nothing_fits_below_the_least_peak() -> None:
    for program in small_programs(range(470, 490)):
        search = Search(program, row_steps_of(program))
        path = search.least_peak()
        if path is not None:
            tolerance = max(16, path.peak_bytes // 400)
            assert search.least_work(path.peak_bytes - tolerance - 1) is None
            again = search.least_work(path.peak_bytes)
            assert again is not None and again.work == path.work
