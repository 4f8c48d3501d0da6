"""Requantisation as one linear function, ``saturate((acc * m >> 32) + c) >> r``, proven at every step of the output.

TFLite's roundings make the output a staircase over the accumulator, with at most 255 steps. A line that crosses each
level between the same two accumulators is exact. With a ReLU (all steps on one side of zero) or a single rounding
TFLite's staircase is so near to a line that one is found; with halves rounded away from zero on both sides it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range

Ints64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_MOST_RIGHT_SHIFT = 20
_USUAL_SHIFT, _MOST_SHIFT = 4, 14
"""One shift for most layers, so that they can share code; the largest for which levels times 2^32 fit int64."""
_CANDIDATES = (256, 16_384)
_BLOCK = 1 << 15
_INT32 = 2**31


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """For each channel ``multiplier``, ``addend`` and what is added to its accumulator; ``shift`` for the layer.

    The output is ``((unit * acc + start) * multiplier >> 32) + addend >> shift + log2(unit)``, saturated to int8 and
    clamped, where ``unit`` is 256 for the first channel of a packed pair and otherwise 1.
    """

    multiplier: Ints64
    addend: Ints64
    start: Ints64
    shift: int


def thresholds(scales: Ints64, rounding: Rounding, zero_point: int, clamps: Range) -> Ints64:
    """The smallest accumulators [channels, steps] whose outputs are at least ``clamps.low + 1`` … ``clamps.high``.

    ``scales`` [channels, 2] are multipliers and shifts, the shifts from -20 to 0. Two roundings (gemmlowp): an output
    ``j`` above the zero point needs ``y >= z`` or, for negative ``z``, ``y >= z + 1`` with ``z = (2 j - 1) 2^(r-1)``,
    and ``y = (acc * m + 2^30) >> 31`` reaches that at ``acc >= (y * 2^31 - 2^30) / m``.
    """
    multiplier, right = scales[:, :1], -scales[:, 1:]
    level = np.arange(clamps.low + 1, clamps.high + 1, dtype=np.int64)[None, :] - zero_point
    if rounding is Rounding.SINGLE:
        return -((-(level * 2 - 1) << (30 + right)) // multiplier)
    z = np.where(right > 0, (level * 2 - 1) << np.maximum(right - 1, 0), level)
    y = np.where((z < 0) & (right > 0), z + 1, z)
    return -(-((y << 31) - (1 << 30)) // multiplier)


def find_line(
    scales: Ints64, lowest: Ints64, highest: Ints64, unit: Ints64, rounding: Rounding, zero_point: int, clamps: Range
) -> Line | None:
    """A line that is exact for every accumulator from ``lowest`` to ``highest`` of every channel; None without one.

    ``unit`` is what each channel's accumulator is multiplied by before (1 or 256). A layer that is built for several
    numbers of rows asks for the same line each time, so lines are kept.
    """
    numbers = tuple(np.ascontiguousarray(a, np.int64).tobytes() for a in (scales, lowest, highest, unit))
    return _find_line(numbers, rounding, zero_point, clamps)


@lru_cache(maxsize=1024)
def _find_line(numbers: tuple[bytes, ...], rounding: Rounding, zero_point: int, clamps: Range) -> Line | None:
    flat, lowest, highest, unit = (np.frombuffer(content, np.int64) for content in numbers)
    scales = flat.reshape(-1, 2)
    moving = lowest < highest
    if not moving.any() or not ((scales[:, 1] >= -_MOST_RIGHT_SHIFT) & (scales[:, 1] <= 0) & (scales[:, 0] > 0)).all():
        return None
    slope = np.where(moving, np.ldexp(scales[:, 0].astype(np.float64), scales[:, 1] - 31), 0.0)
    most = min(int(np.floor(-1 - np.log2(slope.max()))), _MOST_SHIFT)
    first = np.clip(thresholds(scales, rounding, zero_point, clamps), lowest[:, None], highest[:, None] + 1)
    # Levels below the start of the range are always reached, those beyond its end never: one side binds nothing.
    reached, missed = first <= highest[:, None], first > lowest[:, None]
    constant = np.where(reached.all(axis=1), clamps.high, np.argmax(~reached, axis=1) + clamps.low)
    ends = Ends(lowest, highest, np.where(moving, 0, constant))
    for shift in dict.fromkeys(s for s in (_USUAL_SHIFT, most) if 1 <= s <= most):
        levels = np.arange(clamps.low + 1, clamps.high + 1, dtype=np.int64)[None, :] << (shift + _log2(unit))[:, None]
        gain = np.maximum(np.round(slope * 2.0 ** (32 + shift)), 1.0)
        line = _line(Staircase(first, levels, reached, missed, gain, unit), ends, shift)
        if line is not None:
            return line
    return None


def _line(staircase: Staircase, ends: Ends, shift: int) -> Line | None:
    moving, unit = ends.lowest < ends.highest, staircase.unit
    found, addend, start = _fit(staircase, _CANDIDATES[0])
    left = np.flatnonzero(moving & (found == 0))
    found[left], addend[left], start[left] = _fit(staircase.rows(left), _CANDIDATES[1])
    half = 1 << (shift + _log2(unit) - 1)
    multiplier = np.where(moving, found, 0)
    addend = np.where(moving, addend, (ends.constant << (shift + _log2(unit))) + half)
    start = np.where(moving, start, -unit * ends.lowest)
    sums = np.stack([unit * ends.lowest + start, unit * ends.highest + start])
    fits = (np.abs(sums) < _INT32 - 1).all() and (np.abs(addend) < _INT32 // 2).all()
    exact = (multiplier[moving] > 0).all() and (multiplier < _INT32).all()
    return Line(multiplier, addend, start, shift) if bool(fits and exact) else None


def _log2(unit: Ints64) -> Ints64:
    return np.where(unit == 256, 8, 0).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The accumulators' range of each channel, and the output of channels where that is a single one."""

    lowest: Ints64
    highest: Ints64
    constant: Ints64


@dataclass(frozen=True, slots=True, eq=False)
class Staircase:
    """What a line has to meet: [channels, steps] for each step the first accumulator and the level, and which bind.

    ``gain`` is the ideal multiplier of each channel, ``unit`` what its accumulator is multiplied by before.
    """

    first: Ints64
    level: Ints64
    reached: Bools
    missed: Bools
    gain: Floats
    unit: Ints64

    def rows(self, channels: npt.NDArray[np.intp]) -> Staircase:
        """Some of the channels."""
        return Staircase(
            self.first[channels], self.level[channels], self.reached[channels], self.missed[channels],
            self.gain[channels], self.unit[channels],
        )  # fmt: skip


def _fit(steps: Staircase, candidates: int) -> tuple[Ints64, Ints64, Ints64]:
    """Multiplier (0 where there is none), addend and start of each channel, from the best of some addends.

    For the ideal slope the offsets that hold are an interval; ``start`` moves by whole accumulators and ``addend`` by
    whole levels' fractions, which together come as near to its middle as there are candidates.
    """
    per_unit = steps.gain / 2.0**32
    rise = (per_unit * steps.unit)[:, None]
    low = np.where(steps.reached, steps.level - steps.first * rise, -np.inf).max(axis=1, initial=-np.inf)
    high = np.where(steps.missed, steps.level - (steps.first - 1) * rise, np.inf).min(axis=1, initial=np.inf)
    low, high = np.where(np.isinf(low), high - rise[:, 0], low), np.where(np.isinf(high), low + rise[:, 0], high)
    middle = (low + high) / 2
    floor = np.floor(middle)
    best = np.concatenate([_nearest(middle[c], floor[c], per_unit[c], candidates) for c in _blocks(middle, candidates)])
    addend = floor - best
    start = np.round((middle - addend) / per_unit).astype(np.int64)
    addend = addend.astype(np.int64)
    return _multipliers(steps, addend, start), addend, start


def _blocks(channels: Floats, candidates: int) -> list[slice]:
    """Channels few enough for what :func:`_nearest` works with to stay in a cache."""
    size = max(1, _BLOCK // candidates)
    return [slice(at, at + size) for at in range(0, max(len(channels), 1), size)]


def _nearest(middle: Floats, floor: Floats, per_unit: Floats, candidates: int) -> npt.NDArray[np.intp]:
    """How far below ``floor`` the addend lies that comes nearest to ``middle`` with whole accumulators besides."""
    addends = floor[:, None] - np.arange(candidates, dtype=np.float64)[None, :]
    offsets = middle[:, None] - addends
    offsets /= per_unit[:, None]
    np.round(offsets, out=offsets)
    offsets *= per_unit[:, None]
    offsets += addends
    offsets -= middle[:, None]
    nearest: npt.NDArray[np.intp] = np.abs(offsets, out=offsets).argmin(axis=1)
    return nearest


def _multipliers(steps: Staircase, addend: Ints64, start: Ints64) -> Ints64:
    """The multiplier nearest to the ideal for which every step is where it has to be; 0 where there is none.

    A step at accumulator t means ``s(t) * m >= x`` and ``s(t - 1) * m < x`` with ``s(t) = unit * t + start`` and
    ``x = (level - addend) * 2^32``, in exact integers.
    """
    x = (steps.level - addend[:, None]) << 32
    at = steps.unit[:, None] * steps.first + start[:, None]
    low, high = np.full(len(addend), 1, np.int64), np.full(len(addend), _INT32 - 1, np.int64)
    for s, bound, binds, least in (
        (at, x, steps.reached, True),
        (at - steps.unit[:, None], x - 1, steps.missed, False),
    ):
        # s * m >= bound, or s * m <= bound: for negative s the same of -s with the other sign.
        positive, divisor = s > 0, np.where(s == 0, 1, np.abs(s))
        signed = np.where(positive, bound, -bound)
        from_below, from_above = positive if least else s < 0, s < 0 if least else positive
        low = np.maximum(low, np.where(binds & from_below, -(-signed // divisor), 1).max(axis=1, initial=1))
        limit = np.where(binds & from_above, signed // divisor, _INT32 - 1)
        high = np.minimum(high, limit.min(axis=1, initial=_INT32 - 1))
        impossible = binds & (s == 0) & ((bound > 0) if least else (bound < 0))
        high = np.where(impossible.any(axis=1), 0, high)
    nearest = np.clip(steps.gain.astype(np.int64), low, np.maximum(low, high))
    return np.where(low <= high, nearest, 0)
