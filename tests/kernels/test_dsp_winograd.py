"""CONV_2D by Winograd's transforms on the DSP kernel: shapes with every edge, its bounds, and each fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support.tflite_builder import Builder
from tinyml.graph.quantisation import Range
from tinyml.lower.dsp.requant import Form, Layer, Requant
from tinyml.lower.dsp.winograd import choose_unroll, pays, transformed, why_not
from tinyml.lower.program import Isa, Optimize, Target

WINOGRAD, DIRECT = "tml_winograd_dsp", "tml_conv2d_dsp"

# Height, width, channels in, channels out, padding, activation.
SHAPES = [
    (8, 8, 8, 8, "VALID", "NONE"),
    (4, 6, 16, 12, "SAME", "RELU"),
    (6, 8, 16, 10, "SAME", "RELU"),
    (5, 7, 16, 16, "SAME", "NONE"),
    (9, 7, 16, 16, "VALID", "RELU6"),
    (8, 12, 12, 16, "SAME", "RELU_N1_TO_1"),
    (2, 12, 20, 18, "SAME", "RELU"),
    (12, 2, 16, 16, "SAME", "NONE"),
    (9, 9, 16, 14, "VALID", "RELU"),
    (6, 6, 36, 16, "SAME", "NONE"),
    (4, 6, 136, 16, "SAME", "RELU"),
]


def convolution(
    weights: np.ndarray, size: tuple[int, int], *, zero_in: int = 3, zero_out: int = -4, scale: float = 0.4,
    weight_scale: float | list[float] = 0.01, bias: np.ndarray | None = None, padding: str = "SAME",
    activation: str = "NONE", stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1),
) -> bytes:  # fmt: skip
    def build(b: Builder) -> int:
        x = b.input((1, *size, weights.shape[3]), scale=0.05, zero_point=zero_in)
        return b.conv_2d(
            x, weights.astype(np.int8), weight_scale, bias, scale=scale, zero_point=zero_out, padding=padding,
            activation=activation, stride=stride, dilation=dilation,
        )  # fmt: skip

    return model(build)


def random_case(rng: Rng, shape: tuple[int, int, int, int, str, str]) -> bytes:
    height, width, depth, channels, padding, activation = shape
    return convolution(
        rng.weights(channels, 3, 3, depth), (height, width), zero_in=rng.zero_point(),
        zero_out=-128 if activation == "RELU" else rng.zero_point(), weight_scale=rng.scales(channels),
        bias=rng.bias(channels), padding=padding, activation=activation,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("core", "compiler", "optimise"),
    [
        ("cortex-m4", "gcc", "-O3"),
        ("cortex-m7", "gcc", "-O2"),
        ("cortex-m33", "gcc", "-O2"),
        ("cortex-m4", "zig", "-O3"),
    ],
)
def test_every_shape(core: str, compiler: str, optimise: str, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(random_case(rng, shape), WINOGRAD, str(shape)) for shape in SHAPES]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, optimise=optimise, optimize=Optimize.SPEED)


def test_largest_transforms(tmp_path: Path) -> None:
    """Weights of -128 and 127 throughout transform to ±1,152, the extreme inputs to ±512."""
    low = np.full((8, 3, 3, 16), -128)
    chequered = np.where(np.indices((8, 3, 3, 16)).sum(axis=0) % 2 == 0, 127, -128)
    cases = [
        Expected(convolution(w, (6, 6), zero_in=zero, scale=60.0), WINOGRAD, f"{name}, zero point {zero}")
        for name, w in (("low", low), ("chequered", chequered))
        for zero in (-128, 0, 127)
    ]
    prove_on_core(cases, tmp_path, optimize=Optimize.SPEED)


def test_every_shift(tmp_path: Path) -> None:
    """Multipliers from 2^-33 to 4, which need each form of requantisation."""
    rng = Rng(2)
    cases = [
        Expected(
            convolution(rng.weights(8, 3, 3, 8), (6, 6), scale=0.05 * 0.01 * 2.0**-exponent, bias=rng.bias(8)),
            WINOGRAD, f"about 2^{exponent}",
        )
        for exponent in (-33, -18, -12, -9, -3, -1, 0, 2)
    ]  # fmt: skip
    prove_on_core(cases, tmp_path, optimize=Optimize.SPEED)


def near_the_bound(bias: int, weight: int) -> bytes:
    """Second channels whose accumulators lie about ``bias`` and cross one step of the output there."""
    weights = np.zeros((8, 3, 3, 8))
    weights[:, 1, 1, 0] = weight
    biases = np.array([0, bias] * 4, np.int32)
    scale = 0.05 * 0.01 * abs(bias) / 100.5
    return convolution(weights, (6, 6), zero_in=0, scale=scale, zero_out=0, bias=biases)


def test_accumulators_near_the_bound(tmp_path: Path) -> None:
    """Four times an accumulator nearly reaches the ends of int32; beyond them the direct kernel serves and says why.

    The direct kernel allows the second channel of a pair any accumulator.
    """
    limit = 1 << 29
    inside = [Expected(near_the_bound(sign * (limit - 40_000), 127), WINOGRAD, f"{sign}") for sign in (1, -1)]
    outside = [Expected(near_the_bound(sign * (limit + 40_000), 127), DIRECT, f"{sign}") for sign in (1, -1)]
    prove_on_core(inside + outside, tmp_path, optimize=Optimize.SPEED)
    assert "not Winograd: four times an accumulator may reach 2,147" in reason(outside[0].model)


def test_the_bound_is_exact() -> None:
    weights = np.zeros((2, 9 * 4), np.int64)
    weights[0, 0] = 1
    words = np.ones(2, np.int32)
    requant = Requant(Form.DOUBLE_FAST, words, words, np.zeros(2, np.int64), 0, Range(-128, 127))
    limit = 1 << 29
    for bias, fits in ((limit - 128, True), (limit - 127, False), (-limit + 128, True), (-limit + 127, False)):
        made = Layer(weights, np.array([bias, 0]), requant)
        assert (why_not(made) is None) is fits
    beyond = Layer(np.full((2, 9 * 4), 1 << 12), np.zeros(2, np.int64), requant)
    assert why_not(beyond) == "a transformed weight of 36,864 leaves int16"


def reason(made: bytes, optimize: Optimize = Optimize.SPEED) -> str:
    return lowered(made, optimize)[2].reason


def test_what_is_computed_directly() -> None:
    """Other strides, dilations, kernels and depths, other goals, and layers too small for their transforms."""
    rng = Rng(3)
    square = rng.weights(16, 3, 3, 16)
    size = (8, 8)
    for made, why in [
        (convolution(square, size, stride=(2, 2)), "stride"),
        (convolution(square, size, stride=(1, 2)), "stride"),
        (convolution(square, size, dilation=(2, 2)), "dilation"),
        (convolution(rng.weights(16, 3, 5, 16), size), "kernel"),
        (convolution(rng.weights(16, 3, 3, 6), size), "depth"),
        (convolution(rng.weights(15, 3, 3, 16), size), "channels"),
        (convolution(square, (1, 16)), "height"),
        (convolution(square, (16, 1)), "width"),
    ]:
        _, _, step = lowered(made, Optimize.SPEED)
        assert step.kernel == DIRECT, why
        assert "Winograd" not in step.reason, why
    assert lowered(convolution(square, size))[2].kernel == DIRECT
    small = convolution(rng.weights(2, 3, 3, 4), size)
    assert "not Winograd: its transforms cost more" in reason(small)
    assert "Winograd" not in reason(small, Optimize.BALANCED)


def test_lost_tiles_count_against_it() -> None:
    assert pays(32, 32, 16, 16)
    assert pays(3, 3, 16, 16) is False


def test_transformed_weights_are_four_times_winograds() -> None:
    """The published G with halves, doubled on both sides, and the identity A'[(GgG') * (B'dB)]A = conv for one tile."""
    rng = np.random.default_rng(4)
    g, d = rng.integers(-128, 128, (3, 3)), rng.integers(-128, 128, (4, 4))
    half = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    u = transformed(g[None, :, :, None])[0, :, :, 0]
    assert np.array_equal(u, 4 * half @ g @ half.T)
    b = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    a = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
    wanted = [[(d[i : i + 3, j : j + 3] * g).sum() for j in range(2)] for i in range(2)]
    assert np.array_equal(a @ (u * (b @ d @ b.T)) @ a.T, 4 * np.array(wanted))


def test_unrolling_divides_the_steps() -> None:
    for steps in range(2, 200, 2):
        for cache in (None, 1024):
            unroll = choose_unroll(steps, Target(Isa.DSP, Optimize.SPEED, cache))
            assert steps % unroll == 0
            assert unroll <= (64 if cache is None else 22)
