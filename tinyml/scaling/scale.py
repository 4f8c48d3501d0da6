"""``scale``: from a family's name, a board and limits to the largest network that fits, before any training."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Any

from tinyml.boards import Board
from tinyml.errors import DoesNotFitError, UsageError
from tinyml.models.counting import macs_by_position
from tinyml.pipeline.compiled import Options
from tinyml.scaling.probe import Need, Prober, built
from tinyml.scaling.search import largest
from tinyml.scaling.space import CHANNEL_OPTIONS, FREE, MULTIPLIERS, Candidate, candidates
from tinyml.tflite.quiet import import_keras

BUILT_SIZES = 5
"""Networks of a member that are built to learn how MACs grow with its width; those between are interpolated."""
REFERENCE_SIDE = 64
"""Pictures of this side halve evenly in every network."""


@dataclass(frozen=True)
class ScaleRequest:
    """What to scale: a family or an entry, the board, and what may vary.

    ``pinned`` options of the builder keep their value, ``resolution`` the pictures' size; ``max_latency_ms`` is held
    against the estimate of :mod:`tinyml.plan.latency`. Memory limits are those of ``options``.
    """

    model: str
    board: Board
    options: Options = field(default_factory=Options)
    max_latency_ms: float | None = None
    formula: str = MULTIPLIERS
    pinned: Mapping[str, Any] = field(default_factory=dict)
    resolution: int | None = None


@dataclass(frozen=True)
class Scaled:
    """The largest network that fits, with what it needs; ``tried`` in their order, of ``considered`` in all."""

    request: ScaleRequest
    best: Need
    tried: tuple[Need, ...]
    considered: int

    def to_json(self) -> dict[str, Any]:
        """The object that ``tinyml scale --json`` prints."""
        return {
            "board": self.request.board.name,
            "formula": self.request.formula,
            "max_latency_ms": self.request.max_latency_ms,
            **self.best.to_json(),
            "considered": self.considered,
            "tried": [need.to_json() for need in self.tried],
        }


def scale(request: ScaleRequest, watch: Callable[[Need], None] | None = None) -> Scaled:
    """Search the largest candidate, by MACs, that fits; ``watch`` is told of each network that was tried.

    Raises:
        DoesNotFitError: none fits. The message names the one that comes closest; where options were pinned, the hint
            names the largest that fits without.
        UsageError: an unknown name, option or formula.
        UnsupportedError: a candidate cannot be converted or compiled.
    """
    prober = Prober(request.board, request.options, request.max_latency_ms)
    space = _space(request)
    best = _search(space, prober, watch)
    if best is not None:
        return Scaled(request, best, prober.needs, len(space))
    if not prober.needs:
        raise UsageError(f"no {request.model} of these sizes can be built", hint="leave --set and --resolution out")
    closest = min(prober.needs, key=lambda need: (need.latency_ms is None, need.excess))
    hint = "a larger board or budget, another family, or what `tinyml scale --optimize size` finds"
    if _is_pinned(request):
        again = Prober(request.board, request.options, request.max_latency_ms)
        freed = _search(candidates(request.model, pinned=_free_only(request)), again, watch)
        if freed is not None:
            hint = f"this one fits: {freed.describe()}"
    which = "" if len(space) == 1 else f"none of {len(space)} sizes; the closest, "
    raise DoesNotFitError(f"{request.model} does not fit {request.board.name}: {which}{closest.describe()}", hint=hint)


def _space(request: ScaleRequest) -> tuple[Candidate, ...]:
    if request.max_latency_ms is not None and request.max_latency_ms <= 0:
        raise UsageError(f"a latency of {request.max_latency_ms:g} ms leaves no time", hint="give more than 0")
    return candidates(request.model, formula=request.formula, pinned=request.pinned, resolution=request.resolution)


def _free_only(request: ScaleRequest) -> dict[str, Any]:
    return {key: value for key, value in request.pinned.items() if key in FREE}


def _is_pinned(request: ScaleRequest) -> bool:
    return request.resolution is not None or any(key not in FREE for key in request.pinned)


def _search(space: tuple[Candidate, ...], prober: Prober, watch: Callable[[Need], None] | None) -> Need | None:
    def fits(candidate: Candidate) -> bool | None:
        new = all(need.candidate != candidate for need in prober.needs)
        need = prober.need(candidate)
        if need is None:
            return None
        if new and watch is not None:
            watch(need)
        return need.fits

    costs = expected_macs(space)
    while True:
        found = largest(tuple(costs), costs.__getitem__, fits)
        if found is None:
            return None
        confirmed = prober.confirm(found)
        if confirmed.fits:
            return confirmed


def expected_macs(space: Sequence[Candidate]) -> dict[Candidate, int]:
    """MACs of every candidate: counted for a few sizes of each member, interpolated between them.

    Over resolution, what a network computes by position grows with the area and the rest (dense layers, gates) stays.
    Members of which nothing can be built are left out.

    Raises:
        UsageError: no member can be built.
    """
    found: dict[Candidate, int] = {}
    for member in {candidate.member for candidate in space}:
        rows = [candidate for candidate in space if candidate.member == member]
        sizes = sorted({candidate.place[0] for candidate in rows})
        nodes = dict.fromkeys(sizes[round(i * (len(sizes) - 1) / (BUILT_SIZES - 1))] for i in range(BUILT_SIZES))
        counted = [_counted(rows, size) for size in nodes]
        known = {magnitude: macs for one in counted if one is not None for magnitude, macs in (one,)}
        if not known:
            continue
        for candidate in rows:
            by_area, fixed = (_between(known, _magnitude(candidate), part) for part in (0, 1))
            found[candidate] = round(by_area * _area(candidate) + fixed)
    if not found:
        raise UsageError(
            f"no {space[0].name} of these sizes can be built", hint="leave --set and --resolution out, or change them"
        )
    return found


def _magnitude(candidate: Candidate) -> float:
    """What the MACs grow with, as a power: the width or the channels; for one network of a kind any number above 0."""
    value = next((candidate.values[key] for key in CHANNEL_OPTIONS if key in candidate.values), candidate.place[0] + 1)
    return float(sum(value)) if isinstance(value, tuple) else float(value)


def _counted(rows: Sequence[Candidate], size: int) -> tuple[float, tuple[float, float]] | None:
    """A size's magnitude, and its MACs by pixel of the input and those apart from its area; None if it can't be built.

    Counted where pictures halve evenly, or at the next resolution that the builder takes.
    """
    same = [candidate for candidate in rows if candidate.place[0] == size]
    for candidate in sorted(same, key=lambda one: abs(_side(one) - REFERENCE_SIDE)):
        model = built(candidate)
        if model is not None:
            by_position, fixed = macs_by_position(model)
            import_keras().backend.clear_session()
            return _magnitude(candidate), (by_position / _area(candidate), float(fixed))
    return None


def _area(candidate: Candidate) -> int:
    return _side(candidate) ** 2


def _side(candidate: Candidate) -> int:
    shape = candidate.values.get("input_shape", (1,))
    return int(shape[0])


def _between(known: dict[float, tuple[float, float]], magnitude: float, part: int) -> float:
    """The power law through the known magnitudes around ``magnitude``."""
    if magnitude in known:
        return known[magnitude][part]
    if len(known) == 1:
        return next(iter(known.values()))[part]
    ordered = sorted(known)
    at = min(max(bisect(ordered, magnitude), 1), len(ordered) - 1)
    low, high = ordered[at - 1], ordered[at]
    share = log(magnitude / low) / log(high / low)
    return exp((1 - share) * log(known[low][part] + 1) + share * log(known[high][part] + 1)) - 1
