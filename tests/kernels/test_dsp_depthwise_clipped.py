"""DEPTHWISE_CONV_2D over the taps inside of the image on the DSP kernel: any kernel, stride, dilation and padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, sweep
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.kernels.test_dsp_depthwise import depthwise
from tinyml.lower.program import Optimize

CLIPPED = "tml_depthwise_clipped_dsp"
RANDOM, SWEEP, TOGETHER = 12, 2000, 100

# Height, width, channels, multiplier, kernel, stride, padding, activation, dilation.
SHAPES = [
    (12, 12, 4, 1, (3, 3), (1, 1), "SAME", "RELU", (2, 2)),
    (8, 9, 6, 1, (3, 3), (1, 1), "SAME", "NONE", (4, 3)),
    (4, 4, 5, 1, (3, 3), (1, 1), "SAME", "NONE", (3, 3)),
    (2, 2, 7, 1, (3, 3), (1, 1), "SAME", "RELU6", (4, 4)),
    (17, 13, 4, 1, (3, 3), (1, 1), "VALID", "NONE", (4, 2)),
    (12, 12, 4, 1, (9, 9), (1, 1), "SAME", "NONE", (1, 1)),
    (6, 6, 9, 1, (11, 11), (2, 2), "SAME", "NONE", (1, 1)),
    (2, 2, 8, 1, (5, 5), (1, 1), "SAME", "RELU", (1, 1)),
    (3, 3, 10, 1, (7, 7), (1, 1), "SAME", "NONE", (1, 1)),
    (2, 2, 4, 1, (7, 6), (2, 2), "SAME", "NONE", (1, 1)),
    (7, 6, 4, 1, (2, 11), (2, 2), "SAME", "NONE", (1, 1)),
    (12, 12, 4, 1, (3, 3), (3, 3), "SAME", "NONE", (1, 1)),
]


@pytest.mark.parametrize(
    ("core", "compiler", "optimise", "optimize"),
    [
        ("cortex-m4", "gcc", "-O3", Optimize.BALANCED),
        ("cortex-m7", "gcc", "-Os", Optimize.BALANCED),
        ("cortex-m33", "zig", "-O2", Optimize.SPEED),
    ],
)
def test_every_shape(core: str, compiler: str, optimise: str, optimize: Optimize, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(depthwise(rng, *shape), CLIPPED, str(shape)) for shape in SHAPES]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, optimise=optimise, optimize=optimize)


def cases(seeds: range) -> list[Expected]:
    """Kernels to 11 by 11, dilations to 5, all scales."""
    found = []
    for seed in seeds:
        rng, draw = Rng(seed), np.random.default_rng(seed)
        padding = str(draw.choice(["SAME", "VALID"]))
        kernel = int(draw.integers(1, 12)), int(draw.integers(2, 12))
        dilation = int(draw.integers(1, 6)), int(draw.integers(2, 6))
        reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        size = [int(draw.integers(1, 8)) + (r if padding == "VALID" else 0) for r in reach]
        channels = int(draw.integers(4, 12))
        made = depthwise(
            rng, size[0], size[1], channels, 1, kernel, (1, 1), padding,
            str(draw.choice(["NONE", "RELU", "RELU6"])), dilation, scale=0.1 * 2.0 ** draw.uniform(-6, 3),
        )  # fmt: skip
        found.append(Expected(made, CLIPPED, f"{seed}: {size} {kernel} {dilation}"))
    return found


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases(core: str, compiler: str, tmp_path: Path) -> None:
    prove_on_core(cases(range(RANDOM)), tmp_path, core=core, compiler=compiler, count=1)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_core(cases(seeds), folder, optimise="-O2", count=1)


def test_what_goes_to_others() -> None:
    """Images with most taps inside, few channels, and a multiplier."""
    rng = Rng(2)
    wide = depthwise(rng, 12, 12, 8, 1, (5, 5), (1, 1), "SAME", "NONE")
    few = depthwise(rng, 6, 6, 3, 1, (3, 3), (1, 1), "SAME", "NONE", (2, 2))
    twice = depthwise(rng, 6, 6, 4, 2, (3, 3), (1, 1), "SAME", "NONE", (2, 2))
    kernels = [lowered(made)[2].kernel for made in (wide, few, twice)]
    assert kernels == ["tml_depthwise_conv2d_dsp", "tml_grouped_conv2d_dsp", "tml_grouped_conv2d_dsp"]
