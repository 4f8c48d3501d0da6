"""CONV_2D of several groups on the kernels for cores without SIMD, on ARMv6-M and ARMv7-M."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import model
from tests.kernels.grouped_cases import SHAPES, Grouped, drawn_shape, grouped_model, prove_rows
from tests.kernels.on_core import Expected, prove_on_core
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa, Optimize, Target

POINTWISE, GENERAL = "tml_grouped_pointwise_v6m", "tml_grouped_conv2d_v6m"
RANDOM, SWEEP, BATCH = 40, 2000, 100
CORES = [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)]


def expected(shape: Grouped, seed: int) -> Expected:
    return Expected(grouped_model(shape, Draw(seed)), POINTWISE if shape.is_pointwise else GENERAL, str(shape))


@pytest.mark.parametrize(
    ("core", "isa", "compiler", "optimize"),
    [
        (*CORES[0], "gcc", Optimize.BALANCED),
        (*CORES[1], "gcc", Optimize.SIZE),
        (*CORES[0], "zig", Optimize.SPEED),
        (*CORES[1], "zig", Optimize.BALANCED),
    ],
)
def test_every_shape(core: str, isa: Isa, compiler: str, optimize: Optimize, tmp_path: Path) -> None:
    cases = [expected(shape, seed) for seed, shape in enumerate(SHAPES)]
    prove_on_core(cases, tmp_path, core=core, isa=isa, compiler=compiler, optimise="-O2", optimize=optimize)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_random_groups(core: str, isa: Isa, tmp_path: Path) -> None:
    cases = [expected(drawn_shape(Draw(seed)), seed) for seed in range(RANDOM)]
    prove_on_core(cases, tmp_path, core=core, isa=isa, count=1)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_rows_at_a_time(core: str, isa: Isa, tmp_path: Path) -> None:
    """Heights known at run time only."""
    shapes = [shape for shape in SHAPES if not shape.is_pointwise and shape.dilation[0] == 1]
    prove_rows(shapes, Target(isa, by_rows=True), core, GENERAL, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(10_000, 10_000 + SWEEP, BATCH))
def test_sweep(first: int, tmp_path: Path) -> None:
    goal, (core, isa) = list(Optimize)[first // BATCH % len(Optimize)], CORES[first // BATCH % 2]
    cases = [expected(drawn_shape(Draw(seed)), seed) for seed in range(first, first + BATCH)]
    prove_on_core(cases, tmp_path, core=core, isa=isa, optimise="-O2", optimize=goal)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_sums_in_parts(core: str, isa: Isa, tmp_path: Path) -> None:
    """Groups whose sums need cutting beside groups whose do not; every group is cut alike."""

    def build(b: Builder) -> int:
        x = b.input((1, 2, 4, 300), scale=0.05, zero_point=-128)
        weights = np.zeros((8, 1, 1, 150), np.int8)
        weights[:4] = 127
        weights[5, :, :, ::2] = -127
        return b.conv_2d(x, weights, 0.01, scale=20.0, zero_point=3)

    prove_on_core([Expected(model(build), POINTWISE, "sums in parts")], tmp_path, core=core, isa=isa)
