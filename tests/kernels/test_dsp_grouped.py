"""CONV_2D of several groups on the DSP kernels, on every core that has them, and each fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import model
from tests.kernels.grouped_cases import SHAPES, Grouped, drawn_shape, grouped_model, prove_rows
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa, Optimize, Target

POINTWISE, GENERAL, PORTABLE = "tml_grouped_pointwise_dsp", "tml_grouped_conv2d_dsp", "tml_conv2d"
RANDOM, SWEEP, BATCH = 60, 2000, 100


def expected(shape: Grouped, seed: int) -> Expected:
    return Expected(grouped_model(shape, Draw(seed)), POINTWISE if shape.is_pointwise else GENERAL, str(shape))


def drawn(seeds: range) -> list[Expected]:
    return [expected(drawn_shape(Draw(seed)), seed) for seed in seeds]


@pytest.mark.parametrize(
    ("core", "compiler", "optimise"),
    [("cortex-m4", "gcc", "-O3"), ("cortex-m33", "gcc", "-O2"), ("cortex-m4", "zig", "-O3")],
)
def test_every_shape(core: str, compiler: str, optimise: str, tmp_path: Path) -> None:
    cases = [expected(shape, seed) for seed, shape in enumerate(SHAPES)]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, optimise=optimise)


@pytest.mark.parametrize("optimize", [Optimize.SPEED, Optimize.SIZE])
def test_every_goal(optimize: Optimize, tmp_path: Path) -> None:
    prove_on_core([expected(shape, seed) for seed, shape in enumerate(SHAPES)], tmp_path, optimize=optimize)


def test_random_groups(tmp_path: Path) -> None:
    prove_on_core(drawn(range(RANDOM)), tmp_path, core="cortex-m7", optimise="-O2", count=1)


def test_rows_at_a_time(tmp_path: Path) -> None:
    """Heights known at run time only, and nothing but the input, the scratch and the constants is read."""
    shapes = [shape for shape in SHAPES if not shape.is_pointwise and shape.dilation[0] == 1]
    prove_rows(shapes, Target(Isa.DSP), "cortex-m4", GENERAL, tmp_path, watch_reads=True)


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(10_000, 10_000 + SWEEP, BATCH))
def test_sweep(first: int, tmp_path: Path) -> None:
    goal = list(Optimize)[first // BATCH % len(Optimize)]
    prove_on_core(drawn(range(first, first + BATCH)), tmp_path, optimise="-O2", optimize=goal)


def test_weights_of_minus_128() -> None:
    """-128 beside a negative weight of its group does not pack; of another group, or alone in its group, it does."""

    def kernel(weights: list[list[int]], channels: int) -> str:
        def build(b: Builder) -> int:
            x = b.input((1, 3, 3, len(weights) // channels * 2))
            return b.conv_2d(x, np.array(weights, np.int8)[:, None, None, :])

        return lowered(model(build))[2].kernel

    assert kernel([[-128, 1], [-1, 1], [3, 4], [5, 6]], 2) == PORTABLE
    assert kernel([[1, 1], [-128, 1], [-3, 4], [5, 6]], 2) == POINTWISE
    assert kernel([[-128, 1], [-1, 1]], 1) == POINTWISE
