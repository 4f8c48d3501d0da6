"""DEPTHWISE_CONV_2D with a kernel one column wide on the DSP kernel, and what goes to others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, sweep
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.kernels.test_dsp_depthwise import depthwise
from tinyml.lower.program import Optimize

COLUMN = "tml_depthwise_column_dsp"
RANDOM, SWEEP, TOGETHER = 12, 2000, 100

# Height, width, channels, multiplier, kernel, stride, padding, activation.
SHAPES = [
    *((20, 1, 3, 1, (taps, 1), (1, 1), "VALID", "RELU") for taps in range(1, 11)),
    (46, 1, 5, 1, (10, 1), (1, 1), "VALID", "RELU"),
    (7, 4, 3, 2, (3, 1), (2, 1), "SAME", "NONE"),
    (12, 6, 2, 3, (5, 1), (2, 1), "SAME", "RELU6"),
    (6, 6, 4, 1, (5, 1), (1, 1), "SAME", "NONE"),
    (3, 3, 7, 1, (3, 1), (1, 1), "SAME", "NONE"),
    (9, 8, 3, 1, (4, 1), (3, 2), "SAME", "NONE"),
    (8, 8, 6, 1, (1, 1), (1, 1), "SAME", "NONE"),
    (1, 5, 2, 2, (9, 1), (1, 1), "SAME", "NONE"),
    (13, 2, 300, 1, (3, 1), (1, 1), "VALID", "NONE"),
]


@pytest.mark.parametrize(
    ("core", "compiler", "optimise", "optimize"),
    [
        ("cortex-m4", "gcc", "-O3", Optimize.BALANCED),
        ("cortex-m7", "gcc", "-Os", Optimize.SIZE),
        ("cortex-m33", "zig", "-O2", Optimize.SPEED),
    ],
)
def test_every_shape(core: str, compiler: str, optimise: str, optimize: Optimize, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(depthwise(rng, *shape), COLUMN, str(shape)) for shape in SHAPES]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, optimise=optimise, optimize=optimize)


def cases(seeds: range) -> list[Expected]:
    """Kernels of 1 to 10 taps, strides to 4, multipliers to 3, all scales."""
    found = []
    for seed in seeds:
        rng, draw = Rng(seed), np.random.default_rng(seed)
        taps, channels, multiplier = (int(draw.integers(1, most + 1)) for most in (10, 6, 3))
        size = int(draw.integers(taps, 30)), int(draw.integers(1, 6))
        stride = int(draw.integers(1, 5)), 1 if draw.random() < 0.7 else int(draw.integers(1, 4))
        made = depthwise(
            rng, *size, channels, multiplier, (taps, 1), stride, str(draw.choice(["SAME", "VALID"])),
            str(draw.choice(["NONE", "RELU", "RELU6"])), scale=0.1 * 2.0 ** draw.uniform(-6, 3),
        )  # fmt: skip
        found.append(Expected(made, COLUMN, f"{seed}: {size} {taps} {stride}"))
    return found


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases(core: str, compiler: str, tmp_path: Path) -> None:
    prove_on_core(cases(range(RANDOM)), tmp_path, core=core, compiler=compiler, count=1)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_core(cases(seeds), folder, optimise="-O2", count=1)


def test_longer_and_dilated_columns_go_to_others() -> None:
    rng = Rng(2)
    long = depthwise(rng, 30, 2, 3, 1, (11, 1), (1, 1), "VALID", "NONE")
    dilated = depthwise(rng, 30, 2, 3, 1, (3, 1), (1, 1), "VALID", "NONE", (2, 1))
    assert [lowered(made)[2].kernel for made in (long, dilated)] == [
        "tml_depthwise_conv2d_dsp",
        "tml_grouped_conv2d_dsp",
    ]
