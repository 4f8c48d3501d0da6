"""The integers of requantisation against exact arithmetic."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from tinyml.errors import UnsupportedError
from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.quantisation import Range, reference_single_rounding
from tinyml.lower.requant import NoIntegerMultiplierError, double_rounding, single_rounding

FULL = Range(-128, 127)


def integer_rounding(accumulator: int, multiplier: int, shift: int) -> int:
    return (accumulator * multiplier + (1 << (30 - shift))) >> (31 - shift)


def clamp(value: int) -> int:
    return max(-128, min(127, value))


@pytest.mark.parametrize("scale", [0.5, 0.75, 0.1, 1 / 3, 0.0012345, 3.7, 5000.0, 2.0**-20])
@pytest.mark.parametrize("zero_point", [-128, -3, 127])
def test_single_rounding_is_the_reference_at_every_accumulator_around_each_step(scale: float, zero_point: int) -> None:
    reach = Range(-(2**20), 2**20)
    found = single_rounding([scale], [reach], FULL, zero_point)
    multiplier, shift = found.multipliers[0], found.shifts[0]
    around = [round((level - zero_point - 0.5) / scale) + d for level in range(-130, 131) for d in (-1, 0, 1)]
    for accumulator in [a for a in around if reach.low <= a <= reach.high]:
        expected = clamp(reference_single_rounding(accumulator, scale) + zero_point)
        assert clamp(integer_rounding(accumulator, multiplier, shift) + zero_point) == expected


def test_single_rounding_says_when_no_integer_will_do() -> None:
    scale = 1.3059597341495797e-07
    single_rounding([scale], [Range(-(2**20), 2**20)], FULL, 0)
    with pytest.raises(NoIntegerMultiplierError):
        single_rounding([scale], [Range(-(2**30), 2**30)], FULL, -3)


def test_random_scales_and_reaches() -> None:
    generator = random.Random(5)
    for _ in range(200):
        reach = 1 << generator.randint(1, 22)
        scale = generator.uniform(0.2, 3.0) * 128 / reach
        zero_point = generator.randint(-128, 127)
        found = single_rounding([scale], [Range(-reach, reach)], FULL, zero_point)
        for _ in range(50):
            accumulator = generator.randint(-reach, reach)
            expected = clamp(reference_single_rounding(accumulator, scale) + zero_point)
            got = clamp(integer_rounding(accumulator, found.multipliers[0], found.shifts[0]) + zero_point)
            assert got == expected


def test_multipliers_are_within_half_a_unit_of_the_scale() -> None:
    generator = random.Random(6)
    for _ in range(500):
        scale = generator.uniform(0.5, 1.0) * 2.0 ** generator.randint(-30, 25)
        multiplier, shift = quantize_multiplier(scale)
        assert 2**30 <= multiplier < 2**31
        assert abs(Fraction(scale) - Fraction(multiplier) * Fraction(2) ** (shift - 31)) <= Fraction(2) ** (shift - 32)


def test_scales_that_flush_to_zero_and_that_are_too_large() -> None:
    assert quantize_multiplier(0.0) == quantize_multiplier(2.0**-33) == (0, 0)
    with pytest.raises(UnsupportedError, match="too large"):
        double_rounding([2.0**31])
