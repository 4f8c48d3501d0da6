"""CONV_2D on the MVE kernels, with both compilers, and each fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected
from tests.kernels.test_dsp_conv_2d import convolution, single
from tests.support.layer_shapes import POINTWISE_SHAPES, WINDOW_SHAPES
from tinyml.lower.mve.conv_2d import choose_block, staged_pixels

POINTWISE, GENERAL, SINGLE, PORTABLE = (
    "tml_pointwise_mve", "tml_conv2d_mve", "tml_fully_connected_mve", "tml_conv2d",
)  # fmt: skip

# Height, width, channels in, channels out, kernel, stride, dilation, padding, activation, kernel chosen.
SHAPES = [
    *((*shape, POINTWISE) for shape in POINTWISE_SHAPES),
    *((*shape, GENERAL) for shape in WINDOW_SHAPES),
    (1, 2, 16, 4, (1, 1), (1, 1), (1, 1), "SAME", "RELU", POINTWISE),
    (5, 5, 1, 3, (1, 1), (1, 1), (1, 1), "VALID", "NONE", POINTWISE),
    (3, 5, 16, 6, (1, 1), (1, 1), (1, 1), "SAME", "RELU", POINTWISE),
    (4, 4, 32, 9, (1, 1), (1, 1), (1, 1), "SAME", "NONE", POINTWISE),
    (3, 3, 64, 11, (1, 1), (1, 1), (1, 1), "SAME", "NONE", POINTWISE),
    (2, 2, 128, 4, (1, 1), (1, 1), (1, 1), "SAME", "RELU6", POINTWISE),
    (1, 3, 272, 5, (1, 1), (1, 1), (1, 1), "SAME", "RELU", POINTWISE),
    (1, 1, 9, 6, (1, 1), (1, 1), (1, 1), "SAME", "RELU", SINGLE),
    (1, 1, 32, 16, (1, 1), (1, 1), (1, 1), "SAME", "NONE", SINGLE),
    (1, 4, 24, 5, (1, 1), (1, 2), (1, 1), "SAME", "NONE", GENERAL),
    (6, 8, 16, 6, (3, 3), (1, 1), (1, 1), "SAME", "RELU", GENERAL),
    (5, 7, 16, 4, (3, 3), (2, 2), (1, 1), "SAME", "NONE", GENERAL),
    (7, 5, 32, 4, (3, 3), (1, 1), (1, 1), "SAME", "NONE", GENERAL),
    (1, 1, 7, 5, (3, 3), (1, 1), (1, 1), "SAME", "RELU", PORTABLE),
]


@pytest.mark.parametrize(("compiler", "optimise"), [("gcc", "-O2"), ("gcc", "-O3"), ("zig", "-O2")])
def test_every_shape(compiler: str, optimise: str, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(convolution(rng, *shape[:-1]), shape[-1], str(shape)) for shape in SHAPES]
    prove_on_m55(cases, tmp_path, compiler=compiler, optimise=optimise)


def test_every_shift(tmp_path: Path) -> None:
    """Right shifts in vectors, others and accumulators beyond 2^30 portable."""
    rng = Rng(3)
    cases = []
    for exponent in (-32, -31, -20, -3, -2, -1, 0, 1, 2, 12):
        made = single(rng.weights(3, 5), rng.bias(3), scale=0.05 * 0.01 * 2.0**-exponent * 0.9)
        kernel = POINTWISE if exponent < -1 else PORTABLE
        cases.append(Expected(made, kernel, f"a multiplier of about 2^{exponent}"))
    weights, bias = np.full((2, 600), 127), np.array([2**30 - 100, 5], np.int32)
    made = single(weights, bias, zero_out=-128, scale=0.05 * 0.01 * 2.0**23)
    cases.append(Expected(made, PORTABLE, "accumulators beyond 2^30"))
    prove_on_m55(cases, tmp_path)


def test_dead_channels_do_not_cost_the_others_their_kernel(tmp_path: Path) -> None:
    rng = Rng(4)
    weights = rng.weights(4, 6)
    weights[1] = 0
    bias = np.array([10, 2**30 + 5, -7, 0], np.int32)
    made = single(weights, bias, weight_scale=[0.01, 1e-9, 0.02, 0.005])
    prove_on_m55([Expected(made, POINTWISE, "a channel without weights and a bias beyond 2^30")], tmp_path)


def test_staged_pixels_cover_what_would_be_read_behind_the_input() -> None:
    for depth in range(1, 40):
        for pixels in range(2, 60):
            staged = staged_pixels(pixels, depth)
            direct = pixels - staged
            assert staged != 1 and direct != 1
            reach = -(-depth // 16) * 16
            assert direct == 0 or (direct - 1) * depth + reach <= pixels * depth


def test_blocks_are_even_and_within_the_image() -> None:
    for pixels in range(2, 300):
        for patch_bytes in (16, 144, 1024, 4096):
            block = choose_block(pixels, patch_bytes)
            assert block % 2 == 0 and 2 <= block <= pixels
