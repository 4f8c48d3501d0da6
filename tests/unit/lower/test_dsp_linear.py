"""Requantisation as a line: exact for every accumulator, or not taken."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.graph.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tinyml.graph.ir import Rounding
from tinyml.graph.quantisation import Range
from tinyml.lower.dsp.linear import Line, find_line, thresholds

FULL = Range(-128, 127)


def scales_of(values: list[float]) -> np.ndarray:
    return np.array([quantize_multiplier(value) for value in values], np.int64)


def staircase(
    accumulators: np.ndarray, scale: np.ndarray, rounding: Rounding, zero_point: int, clamps: Range
) -> np.ndarray:
    multiplier, shift = (int(v) for v in scale)
    if rounding is Rounding.SINGLE:
        scaled = (accumulators * multiplier + (1 << (30 - shift))) >> (31 - shift)
    else:
        high = (accumulators * multiplier + (1 << 30)) >> 31
        scaled = (high + (1 << (-shift - 1)) - (high < 0)) >> -shift if shift else high
        for index in (0, len(accumulators) // 2, -1):
            assert scaled[index] == multiply_by_quantized_multiplier(int(accumulators[index]), multiplier, shift)
    return np.clip(scaled + zero_point, clamps.low, clamps.high)


def evaluate(line: Line, channel: int, unit: int, accumulators: np.ndarray, clamps: Range) -> np.ndarray:
    s = unit * accumulators + line.start[channel]
    assert np.abs(s).max() < 2**31
    shift = line.shift + (8 if unit == 256 else 0)
    return np.clip(((s * line.multiplier[channel] >> 32) + line.addend[channel]) >> shift, clamps.low, clamps.high)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize(("zero_point", "clamps"), [(-128, FULL), (-128, Range(-128, 60)), (5, Range(5, 127))])
def test_a_line_is_exact_for_every_accumulator(rounding: Rounding, zero_point: int, clamps: Range) -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(20):
        scales = scales_of(np.exp(rng.uniform(np.log(0.002), np.log(0.03), 6)).tolist())
        unit = np.array([256, 1] * 3)
        lowest = rng.integers(-60_000, 0, 6)
        highest = lowest + rng.integers(1, 120_000, 6)
        line = find_line(scales, lowest, highest, unit, rounding, zero_point, clamps)
        if line is None:
            continue
        found += 1
        for c in range(6):
            every = np.arange(lowest[c], highest[c] + 1)
            wanted = staircase(every, scales[c], rounding, zero_point, clamps)
            assert np.array_equal(evaluate(line, c, int(unit[c]), every, clamps), wanted)
    assert found >= 15


def test_halves_away_from_zero_on_both_sides_have_no_line() -> None:
    scales = scales_of([0.01, 0.0123])
    ends = np.array([30_000, 30_000])
    assert find_line(scales, -ends, ends, np.array([1, 1]), Rounding.DOUBLE, 3, FULL) is None
    assert find_line(scales, -ends, ends, np.array([1, 1]), Rounding.SINGLE, 3, FULL) is not None


def test_rows_that_never_change_get_a_constant() -> None:
    scales = scales_of([0.01, 0.01, 0.01])
    lowest, highest = np.array([0, 500, -900]), np.array([20_000, 500, -900])
    line = find_line(scales, lowest, highest, np.array([1, 1, 256]), Rounding.DOUBLE, -128, FULL)
    assert line is not None
    for channel, unit, value in ((1, 1, 500), (2, 256, -900)):
        wanted = staircase(np.array([value]), scales[channel], Rounding.DOUBLE, -128, FULL)
        assert evaluate(line, channel, unit, np.array([value]), FULL) == wanted


@pytest.mark.parametrize("scale", [0.3, 0.9, 40.0, 1e-9])
def test_scales_out_of_reach_have_no_line(scale: float) -> None:
    ends = np.array([30_000])
    assert find_line(scales_of([scale]), -ends, ends, np.array([1]), Rounding.DOUBLE, -128, FULL) is None


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("scale", [0.0004, 0.01, 0.125, 0.26, 0.5, 0.75, 1.0])
def test_thresholds_are_where_the_output_steps(rounding: Rounding, scale: float) -> None:
    scales = scales_of([scale])
    if scales[0, 1] > 0:
        scales = np.array([[2**31 - 1, 0]])
    clamps = Range(-100, 90)
    first = thresholds(scales, rounding, -7, clamps)[0]
    levels = np.arange(clamps.low + 1, clamps.high + 1)
    assert np.array_equal(staircase(first, scales[0], rounding, -7, FULL) >= levels, np.ones(len(levels), bool))
    assert np.array_equal(staircase(first - 1, scales[0], rounding, -7, FULL) < levels, np.ones(len(levels), bool))
