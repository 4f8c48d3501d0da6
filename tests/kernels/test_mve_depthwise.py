"""DEPTHWISE_CONV_2D on the MVE kernels, with both compilers, and each fallback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.cases import Rng
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected
from tests.kernels.test_dsp_depthwise import depthwise
from tinyml.lower.program import Optimize

SMALL, WINDOW, PORTABLE = "tml_depthwise_conv2d_mve", "tml_grouped_conv2d_mve", "tml_depthwise_conv2d"

# Height, width, channels, multiplier, kernel, stride, padding, activation.
SMALL_SHAPES = [
    *((h, w, 3, 1, (3, 3), (1, 1), "SAME", "RELU") for h in (1, 2, 3, 4, 5, 8) for w in (1, 2, 3, 4, 6)),
    (25, 5, 4, 1, (3, 3), (1, 1), "SAME", "RELU"),
    (5, 25, 4, 1, (3, 3), (1, 1), "SAME", "NONE"),
    (9, 9, 2, 1, (3, 3), (1, 1), "VALID", "NONE"),
    (30, 30, 2, 1, (3, 3), (1, 1), "SAME", "RELU6"),
    (41, 25, 12, 1, (3, 3), (1, 1), "SAME", "NONE"),
    (37, 11, 30, 1, (3, 3), (1, 1), "SAME", "RELU"),
    (40, 50, 1, 1, (3, 3), (1, 1), "VALID", "NONE"),
    *((h, w, 3, 1, (3, 3), (2, 2), "SAME", "RELU") for h in (1, 2, 3, 5, 8, 12) for w in (1, 2, 4, 7, 16)),
    (6, 5, 5, 1, (3, 3), (2, 2), "VALID", "NONE"),
    (48, 48, 8, 1, (3, 3), (2, 2), "SAME", "RELU"),
    (31, 29, 20, 1, (3, 3), (2, 2), "SAME", "NONE"),
    (9, 8, 3, 2, (3, 3), (1, 1), "SAME", "NONE"),
    (9, 8, 3, 3, (3, 3), (2, 2), "SAME", "RELU"),
    (7, 7, 4, 1, (1, 3), (1, 1), "SAME", "NONE"),
    (7, 7, 4, 2, (3, 1), (2, 1), "SAME", "NONE"),
    (1, 12, 5, 3, (1, 7), (1, 2), "SAME", "NONE"),
    (12, 7, 2, 1, (3, 3), (3, 1), "SAME", "NONE"),
    (12, 7, 2, 1, (3, 3), (1, 3), "SAME", "NONE"),
    (8, 8, 6, 1, (1, 1), (1, 1), "SAME", "NONE"),
    (8, 8, 2, 1, (2, 2), (4, 2), "SAME", "NONE"),
    (20, 3, 2, 1, (9, 1), (1, 1), "SAME", "RELU"),
    (60, 20, 2, 1, (2, 3), (4, 1), "SAME", "NONE"),
]


LARGE_SHAPES = [
    *((h, w, 2, 1, (5, 5), (1, 1), "SAME", "RELU") for h, w in ((1, 1), (3, 4), (6, 5), (7, 6), (10, 7), (22, 30))),
    *((h, w, 2, 1, (5, 5), (2, 2), "SAME", "RELU") for h, w in ((1, 1), (3, 4), (10, 10), (9, 11), (40, 38))),
    *((h, w, 2, 1, (7, 7), (1, 1), "SAME", "NONE") for h, w in ((1, 1), (3, 4), (6, 5), (7, 6), (10, 7), (22, 30))),
    *((h, w, 2, 1, (7, 7), (2, 2), "SAME", "NONE") for h, w in ((1, 1), (3, 4), (10, 10), (9, 11), (40, 38))),
    (9, 9, 20, 1, (5, 5), (1, 1), "VALID", "RELU6"),
    (21, 21, 24, 1, (7, 7), (1, 1), "SAME", "RELU"),
    (9, 8, 3, 3, (5, 5), (2, 2), "SAME", "RELU"),
    (9, 7, 2, 1, (4, 4), (1, 1), "SAME", "NONE"),
    (9, 9, 2, 1, (6, 6), (2, 2), "SAME", "NONE"),
    (12, 7, 2, 1, (7, 3), (3, 1), "SAME", "NONE"),
    (11, 12, 3, 1, (5, 3), (1, 2), "SAME", "RELU"),
]


@pytest.mark.parametrize(
    ("compiler", "optimise", "optimize"),
    [("gcc", "-O2", Optimize.BALANCED), ("gcc", "-O3", Optimize.SIZE), ("zig", "-O2", Optimize.BALANCED)],
)
def test_small_kernels(compiler: str, optimise: str, optimize: Optimize, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(depthwise(rng, *shape), SMALL, str(shape)) for shape in SMALL_SHAPES]
    prove_on_m55(cases, tmp_path, compiler=compiler, optimise=optimise, optimize=optimize)


@pytest.mark.parametrize(
    ("compiler", "optimise", "optimize"), [("gcc", "-O2", Optimize.BALANCED), ("zig", "-O2", Optimize.SIZE)]
)
def test_large_kernels(compiler: str, optimise: str, optimize: Optimize, tmp_path: Path) -> None:
    rng = Rng(2)
    cases = [Expected(depthwise(rng, *shape), SMALL, str(shape)) for shape in LARGE_SHAPES]
    prove_on_m55(cases, tmp_path, compiler=compiler, optimise=optimise, optimize=optimize)


def test_every_shift(tmp_path: Path) -> None:
    rng = Rng(3)
    cases = []
    for exponent in (-30, -20, -9, -3, 3, 6):
        made = depthwise(rng, 5, 6, 4, 1, (3, 3), (1, 1), "SAME", "NONE", scale=0.05 * 0.005 * 2.0**-exponent)
        cases.append(Expected(made, SMALL if exponent < 0 else PORTABLE, f"about 2^{exponent}"))
    prove_on_m55(cases, tmp_path)


def test_what_the_kernel_cannot_do_goes_by_groups_of_channels(tmp_path: Path) -> None:
    """Dilation, wide kernels and distant tiles; a single channel stays portable."""
    rng = Rng(4)
    shapes = [
        ((9, 9, 2, 1, (3, 3), (1, 1), "SAME", "NONE", (2, 2)), WINDOW, "a dilation"),
        ((8, 9, 3, 2, (3, 3), (1, 1), "SAME", "RELU", (4, 3)), WINDOW, "a dilation beyond the image"),
        ((12, 12, 2, 1, (9, 9), (1, 1), "SAME", "NONE"), WINDOW, "a kernel of 9×9"),
        ((3, 5, 3000, 1, (3, 3), (2, 2), "SAME", "NONE"), WINDOW, "tiles further apart than an immediate"),
        ((9, 9, 1, 1, (3, 3), (1, 1), "SAME", "NONE", (2, 2)), PORTABLE, "a dilation of a single channel"),
    ]
    prove_on_m55([Expected(depthwise(rng, *shape), kernel, what) for shape, kernel, what in shapes], tmp_path)
