"""CONV_2D of several groups on the MVE kernels, with both compilers, and each fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.grouped_cases import SHAPES, Grouped, drawn_shape, grouped_model
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected, lowered
from tinyml.lower.mve.grouped import joined_weights
from tinyml.lower.program import Int, Isa

POINTWISE, GENERAL, PORTABLE = "tml_grouped_pointwise_mve", "tml_grouped_conv2d_mve", "tml_conv2d"
RANDOM, SWEEP, BATCH = 40, 2000, 100


def expected(shape: Grouped, seed: int) -> Expected:
    """The model with the kernel that has to be chosen: one pixel and rows of one pixel stay portable."""
    made = grouped_model(shape, Draw(seed))
    _, graph, step = lowered(made, isa=Isa.MVE)
    _, out_h, out_w, _ = graph.tensors[step.outputs[0]].shape
    fits = out_h * out_w >= 2 if shape.is_pointwise else out_w >= 2
    return Expected(made, (POINTWISE if shape.is_pointwise else GENERAL) if fits else PORTABLE, str(shape))


@pytest.mark.parametrize(("compiler", "optimise"), [("gcc", "-O2"), ("zig", "-O2")])
def test_every_shape(compiler: str, optimise: str, tmp_path: Path) -> None:
    cases = [expected(shape, seed) for seed, shape in enumerate(SHAPES)]
    prove_on_m55(cases, tmp_path, compiler=compiler, optimise=optimise)


def test_random_groups(tmp_path: Path) -> None:
    cases = [expected(drawn_shape(Draw(seed)), seed) for seed in range(RANDOM)]
    prove_on_m55(cases, tmp_path, optimise="-O3", count=1)


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(10_000, 10_000 + SWEEP, BATCH))
def test_sweep(first: int, tmp_path: Path) -> None:
    cases = [expected(drawn_shape(Draw(seed)), seed) for seed in range(first, first + BATCH)]
    prove_on_m55(cases, tmp_path)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        (Grouped(4, 4, 8, 4, 1), 2),
        (Grouped(4, 4, 8, 4, 4), 8),
        (Grouped(4, 4, 2, 16, 4), 2),
        (Grouped(4, 4, 4, 16, 1), 1),
        (Grouped(4, 4, 4, 16, 1, (3, 3)), 1),
    ],
)
def test_groups_are_joined_where_that_fills_vectors(shape: Grouped, groups: int) -> None:
    step = lowered(grouped_model(shape, Draw(1)), isa=Isa.MVE)[2]
    assert [arg.value for arg in step.args if isinstance(arg, Int) and arg.name == "groups"] == [groups]
    assert ("joined" in step.reason) is (groups < shape.groups)


def test_joined_groups_have_zeros_between_them() -> None:
    weights = np.arange(1, 13).reshape(4, 1, 1, 3)
    joined = joined_weights(weights, 4, 2)
    assert joined.tolist() == [
        [1, 2, 3, 0, 0, 0],
        [0, 0, 0, 4, 5, 6],
        [7, 8, 9, 0, 0, 0],
        [0, 0, 0, 10, 11, 12],
    ]
