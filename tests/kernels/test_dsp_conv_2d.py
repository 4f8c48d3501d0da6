"""CONV_2D on the DSP kernels, on every core that has them, and each fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support.layer_shapes import POINTWISE_SHAPES, WINDOW_SHAPES
from tests.support.tflite_builder import Builder
from tinyml.lower.dsp.gemm import choose_blocks, choose_loop, patch_order
from tinyml.lower.dsp.requant import Form
from tinyml.lower.program import Int, Isa, Optimize, Target

POINTWISE, GENERAL, FEW, PORTABLE = "tml_pointwise_dsp", "tml_conv2d_dsp", "tml_fully_connected_dsp", "tml_conv2d"
DEEP = "tml_pointwise_deep_dsp"

# Height, width, channels in, channels out, kernel, stride, dilation, padding, activation, kernel chosen.
SHAPES = [
    *((*shape, POINTWISE) for shape in POINTWISE_SHAPES),
    *((*shape, GENERAL) for shape in WINDOW_SHAPES),
    (1, 1, 9, 6, (1, 1), (1, 1), (1, 1), "SAME", "RELU", FEW),
    (1, 2, 24, 5, (1, 1), (1, 1), (1, 1), "SAME", "NONE", FEW),
    (1, 2, 24, 5, (1, 1), (1, 2), (1, 1), "SAME", "NONE", GENERAL),
    (6, 8, 18, 6, (3, 3), (1, 1), (1, 1), "SAME", "RELU", GENERAL),
    (1, 1, 7, 5, (3, 3), (1, 1), (1, 1), "SAME", "RELU", GENERAL),
]


def convolution(
    rng: Rng, h: int, w: int, c: int, o: int, kernel: tuple[int, int], stride: tuple[int, int],
    dilation: tuple[int, int], padding: str, activation: str, scale: float = 0.4,
) -> bytes:  # fmt: skip
    def build(b: Builder) -> int:
        x = b.input((1, h, w, c), scale=0.05, zero_point=rng.zero_point())
        zero_point = -128 if activation == "RELU" else rng.zero_point()
        return b.conv_2d(
            x, rng.weights(o, *kernel, c), rng.scales(o), rng.bias(o), scale=scale, zero_point=zero_point,
            stride=stride, dilation=dilation, padding=padding, activation=activation,
        )  # fmt: skip

    return model(build)


def all_shapes(seed: int) -> list[Expected]:
    rng = Rng(seed)
    return [Expected(convolution(rng, *shape[:-1]), shape[-1], str(shape)) for shape in SHAPES]


@pytest.mark.parametrize(
    ("core", "compiler", "optimise"),
    [
        ("cortex-m4", "gcc", "-O3"),
        ("cortex-m4", "gcc", "-O2"),
        ("cortex-m7", "gcc", "-O3"),
        ("cortex-m33", "gcc", "-O2"),
        ("cortex-m4", "zig", "-O3"),
    ],
)
def test_every_shape(core: str, compiler: str, optimise: str, tmp_path: Path) -> None:
    prove_on_core(all_shapes(1), tmp_path, core=core, compiler=compiler, optimise=optimise)


@pytest.mark.parametrize("optimize", [Optimize.SPEED, Optimize.SIZE])
def test_every_goal(optimize: Optimize, tmp_path: Path) -> None:
    prove_on_core(all_shapes(2), tmp_path, optimize=optimize)


# As above; how many blocks of three pixels read a stream of weights with a cache of 256 bytes for data.
BLOCKS = [
    ((8, 8, 8, 8, (1, 1), (1, 1), (1, 1), "SAME", "RELU", POINTWISE), 3),
    ((8, 10, 8, 7, (1, 1), (1, 1), (1, 1), "SAME", "NONE", POINTWISE), 4),
    ((3, 6, 5, 2, (1, 1), (1, 1), (1, 1), "SAME", "NONE", POINTWISE), 1),
    ((9, 15, 37, 4, (1, 1), (1, 1), (1, 1), "VALID", "RELU", POINTWISE), 3),
    ((9, 9, 16, 1, (1, 1), (1, 1), (1, 1), "SAME", "NONE", POINTWISE), 2),
    ((16, 16, 4, 3, (3, 3), (1, 1), (1, 1), "SAME", "RELU", GENERAL), 2),
    ((17, 17, 5, 4, (3, 3), (1, 1), (1, 1), "VALID", "NONE", GENERAL), 2),
    ((20, 19, 3, 6, (3, 3), (2, 2), (1, 1), "SAME", "RELU", GENERAL), 2),
    ((12, 12, 2, 8, (2, 2), (1, 1), (1, 1), "VALID", "NONE", GENERAL), 4),
    ((20, 20, 16, 3, (3, 3), (1, 1), (1, 1), "VALID", "NONE", GENERAL), 1),
]


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m4", "zig")])
def test_blocks_that_share_streams(core: str, compiler: str, tmp_path: Path) -> None:
    """Groups of every size, with one and two pixels left over, in place too."""
    rng = Rng(6)
    cases = []
    for shape, blocks in BLOCKS:
        made = convolution(rng, *shape[:-1])
        _, _, step = lowered(made, Optimize.SPEED, data_cache_bytes=256)
        assert [a.value for a in step.args if isinstance(a, Int) and a.name == "blocks"] == [blocks], shape
        assert ("blocks a stream" in step.reason) is (blocks > 1)
        cases.append(Expected(made, str(shape[-1]), str(shape)))
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, optimize=Optimize.SPEED, data_cache_bytes=256)


def test_blocks_stay_within_their_scratch() -> None:
    for optimize, part in ((Optimize.SPEED, 8), (Optimize.BALANCED, 32)):
        target = Target(Isa.DSP, optimize, data_cache_bytes=256)
        for pixels in (3, 5, 6, 30, 1000):
            for words in range(2, 80, 2):
                blocks = choose_blocks(pixels, words, 4000, target)
                assert 1 <= blocks <= pixels // 3
                assert blocks == 1 or 12 * words * (blocks - 1) <= 4000 // part
                assert blocks == 1 or words <= 42
    assert choose_blocks(1000, 8, 1 << 20, Target(Isa.DSP, Optimize.SPEED)) == 1
    assert choose_blocks(1000, 8, 1 << 20, Target(Isa.DSP, Optimize.SIZE, data_cache_bytes=256)) == 1


def single(
    weights: np.ndarray, bias: np.ndarray | None = None, *, zero_in: int = 3, zero_out: int = -4, scale: float = 0.4,
    weight_scale: float | list[float] = 0.01, size: tuple[int, int] = (2, 2),
) -> bytes:  # fmt: skip
    """A 1×1 convolution with given weights [O, C]."""

    def build(b: Builder) -> int:
        x = b.input((1, *size, weights.shape[1]), scale=0.05, zero_point=zero_in)
        return b.conv_2d(
            x, weights.astype(np.int8)[:, None, None, :], weight_scale, bias, scale=scale, zero_point=zero_out
        )

    return model(build)


def test_shifts_that_the_fast_form_cannot_do(tmp_path: Path) -> None:
    """Multipliers from 2^-40 to 2^12, alone and mixed."""
    rng = Rng(3)
    cases = []
    for exponent in (-40, -33, -32, -31, -20, -3, -2, -1, 0, 1, 2, 12):
        made = single(rng.weights(3, 5), rng.bias(3), scale=0.05 * 0.01 * 2.0**-exponent * 0.9)
        cases.append(Expected(made, POINTWISE, f"a multiplier of about 2^{exponent}"))
    spread = [0.05 * 2.0**exponent for exponent in (-36, -20, -9, -3, 0, 3)]
    cases.append(Expected(single(rng.weights(6, 5), rng.bias(6), weight_scale=spread), POINTWISE, "all at once"))
    prove_on_core(cases, tmp_path)


def test_ties_on_both_sides_of_zero(tmp_path: Path) -> None:
    bias = np.arange(-40, 40, dtype=np.int32)
    made = single(np.zeros((80, 4)), bias, scale=0.05, weight_scale=0.125, zero_out=0)
    prove_on_core([Expected(made, POINTWISE, "ties")], tmp_path)


def test_weights_of_minus_128(tmp_path: Path) -> None:
    """-128 packs over a weight that is not negative, and as the second of a pair; other layers stay portable."""
    packs = np.array([[-128, 5, -128, 7], [0, -128, 127, -128]])
    does_not = np.array([[-128, 5, 6, 7], [-1, 2, 3, 4]])
    cases = [Expected(single(packs), POINTWISE, "packs"), Expected(single(does_not), PORTABLE, "does not pack")]
    prove_on_core(cases, tmp_path)


def test_accumulators_at_the_bound(tmp_path: Path) -> None:
    """The first of a pair may reach 2^23 - 1 and -2^23; beyond, sums are taken in parts. The second may be any."""
    weights = np.array([[127, -127, 1, 0], [0, 0, 0, 127]])
    top = (1 << 23) - 1 - (127 * 128 + 128 * 127)
    bottom = -(1 << 23) + (128 * 128 + 127 * 127)

    def case(first: int, second: int, kernel: str) -> Expected:
        folded = np.array([first, second]) + 3 * weights.sum(axis=1)
        zero_out = -128 if first > 0 else 127
        made = single(weights, folded.astype(np.int32), scale=0.05 * 0.01 * 2.0**15, zero_out=zero_out)
        return Expected(made, kernel, f"biases {first}, {second}")

    cases = [
        case(top, 0, POINTWISE), case(top + 1, 0, DEEP), case(bottom, 0, POINTWISE), case(bottom - 1, 0, DEEP),
        case(0, 2**30, POINTWISE), case(0, -(2**30), POINTWISE),
    ]  # fmt: skip
    prove_on_core(cases, tmp_path)


def test_constant_channels_do_not_cost_the_others_the_fast_form() -> None:
    """Dead channels as converters leave them: weights 0, a bias near 2^30, a tiny scale."""
    weights = np.array([[3, -5, 7], [0, 0, 0], [9, 9, -9], [0, 0, 0]])
    bias = np.array([10, 2**30, -20, -(2**30)], np.int32)
    scales = [0.01, 1e-9, 0.02, 1e-30]
    _, _, step = lowered(single(weights, bias, weight_scale=scales))
    assert step.kernel == POINTWISE
    rounding = next(arg.value for arg in step.args if isinstance(arg, Int) and arg.name == "rounding")
    assert rounding in (Form.DOUBLE_FAST, Form.LINEAR)


def test_constant_channels(tmp_path: Path) -> None:
    weights = np.array([[3, -5, 7], [0, 0, 0], [9, 9, -9], [0, 0, 0], [1, 0, 0]])
    cases = []
    for limit in (0, 100, 2**30):
        bias = np.array([10, limit, -20, -limit, limit], np.int32)
        for zero_out in (-128, 0, 127):
            made = single(weights, bias, weight_scale=[0.01, 1e-9, 0.02, 1e-30, 1e-7], zero_out=zero_out)
            cases.append(Expected(made, POINTWISE, f"biases to {limit}, zero point {zero_out}"))
    prove_on_core(cases, tmp_path)


def test_patch_order_names_every_input_once() -> None:
    for rows, run in ((1, 1), (1, 7), (3, 9), (3, 12), (10, 4), (2, 6)):
        assert sorted(patch_order(rows, run)) == list(range(rows * run))


@pytest.mark.parametrize("optimize", list(Optimize))
def test_the_loop_covers_the_words(optimize: Optimize) -> None:
    for words in range(1, 600):
        loop = choose_loop(words, Target(Isa.DSP, optimize))
        assert words <= loop.words < words + 10
        assert loop.unroll % 2 == 0
        assert loop.words % loop.unroll == 0
        short = choose_loop(words, Target(Isa.DSP, optimize, code_cache_bytes=1024))
        assert short.unroll <= min(loop.unroll, 20) or optimize is Optimize.SIZE
        assert words <= short.words < words + 10 and short.words % short.unroll == 0
