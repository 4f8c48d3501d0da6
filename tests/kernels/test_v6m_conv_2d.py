"""CONV_2D on the kernels for cores without SIMD, on ARMv6-M and ARMv7-M, and each fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.kernels.test_dsp_conv_2d import SHAPES, convolution, single
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Int, Isa, Optimize, Step
from tinyml.lower.v6m.requant import Form

POINTWISE, GENERAL, ONE = "tml_pointwise_v6m", "tml_conv2d_v6m", "tml_fully_connected_v6m"
LARGE_SHAPES = [
    (20, 21, 4, 5, (3, 3), (1, 1), (1, 1), "SAME", "RELU", GENERAL),
    (19, 18, 5, 3, (3, 3), (1, 1), (2, 3), "SAME", "NONE", GENERAL),
    (16, 21, 5, 4, (5, 5), (2, 2), (1, 1), "SAME", "NONE", GENERAL),
    (13, 14, 16, 4, (3, 2), (2, 3), (1, 1), "SAME", "RELU", GENERAL),
]
"""Too large for a padded copy, so that windows at the borders are read tap by tap."""
CORES = [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)]


def kernel_of(shape: tuple[object, ...]) -> str:
    h, w, _, _, kernel, stride, *_ = shape
    if kernel != (1, 1) or (stride != (1, 1) and (h, w) != (1, 1)):
        return GENERAL
    return ONE if (h, w) == (1, 1) else POINTWISE


def all_shapes(seed: int) -> list[Expected]:
    rng = Rng(seed)
    return [Expected(convolution(rng, *shape[:-1]), kernel_of(shape), str(shape)) for shape in [*SHAPES, *LARGE_SHAPES]]


def argument(step: Step, name: str) -> int:
    return next(arg.value for arg in step.args if isinstance(arg, Int) and arg.name == name)


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_shape(core: str, isa: Isa, compiler: str, tmp_path: Path) -> None:
    prove_on_core(all_shapes(1), tmp_path, core=core, isa=isa, compiler=compiler, optimise="-O2")


@pytest.mark.parametrize("optimize", [Optimize.SPEED, Optimize.SIZE])
@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_goal(core: str, isa: Isa, optimize: Optimize, tmp_path: Path) -> None:
    """Weights as words in flash, and as bytes that are expanded."""
    optimise = "-Os" if optimize is Optimize.SIZE else "-O3"
    prove_on_core(all_shapes(2), tmp_path, core=core, isa=isa, optimize=optimize, optimise=optimise)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_sums_at_the_bound_of_the_packing(core: str, isa: Isa, tmp_path: Path) -> None:
    """Sums may lie in [-2^20, 2^20) for the first two of three channels, in [-2^21, 2^21 - 2^10) for the third."""
    depth = 140
    cases, parts = [], []
    for channel in range(3):
        for sign in (1, -1):
            limit = 1 << 20 if channel < 2 else (1 << 21) - (1024 if sign > 0 else 0)
            for beyond in (0, 1):
                weights = np.zeros((3, depth), np.int64)
                # 64 weights of 127 reach 64 * 127 * 128 = 1,040,384; one more weight fills up to the limit.
                whole, rest = divmod(limit // 128 - (sign > 0) + beyond, 127)
                weights[channel, :whole] = -sign * 127
                weights[channel, whole] = -sign * rest
                made = single(weights, np.zeros(3, np.int32), scale=20.0, zero_in=0)
                cases.append(Expected(made, POINTWISE, f"channel {channel}, sign {sign}, beyond {beyond}"))
                parts.append(argument(lowered(made, isa=isa)[2], "parts") > 1)
    prove_on_core(cases, tmp_path, core=core, isa=isa)
    assert parts == [False, True] * 6


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_sums_in_parts(core: str, isa: Isa, tmp_path: Path) -> None:
    """Depths that need 2 to 4 parts, some not divisible by them, with one to three channels in the last group."""
    rng = Rng(3)
    cases = []
    for depth, channels, activation in ((200, 4, "RELU"), (333, 3, "NONE"), (401, 5, "RELU6"), (640, 7, "NONE")):
        made = convolution(rng, 2, 2, depth, channels, (1, 1), (1, 1), (1, 1), "SAME", activation, 1.0)
        assert argument(lowered(made, isa=isa)[2], "parts") > 1
        cases.append(Expected(made, POINTWISE, f"depth {depth}"))
    made = convolution(rng, 4, 4, 40, 5, (3, 3), (1, 1), (1, 1), "SAME", "NONE", 1.0)
    assert argument(lowered(made, isa=isa)[2], "parts") > 1
    cases.append(Expected(made, GENERAL, "3x3"))
    prove_on_core(cases, tmp_path, core=core, isa=isa)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_form_of_requantisation(core: str, isa: Isa, tmp_path: Path) -> None:
    """Multipliers from 2^-40 to 2^12, alone and mixed; each form is chosen by some."""
    rng = Rng(4)
    cases, forms = [], set()
    for zero_out in (-128, -4):
        for exponent in (-40, -33, -31, -20, -15, -9, -6, -3, -2, -1, 0, 1, 12):
            made = single(rng.weights(3, 5), rng.bias(3), scale=0.05 * 0.01 * 2.0**-exponent * 0.9, zero_out=zero_out)
            forms.add(argument(lowered(made, isa=isa)[2], "form"))
            cases.append(Expected(made, POINTWISE, f"a multiplier of about 2^{exponent}, zero point {zero_out}"))
    for exponents in ((-36, -20, -9, -3, 0, 3), (-12, -11, -10, -9, -8, -7)):
        spread = [0.05 * 2.0**exponent for exponent in exponents]
        cases.append(Expected(single(rng.weights(6, 5), rng.bias(6), weight_scale=spread), POINTWISE, "all at once"))
    assert forms == set(Form)
    prove_on_core(cases, tmp_path, core=core, isa=isa, count=6)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_ties_on_both_sides_of_zero(core: str, isa: Isa, tmp_path: Path) -> None:
    """Sums that are multiples of eight halves away from zero, over all inputs of one channel."""
    weights = np.zeros((12, 4), np.int64)
    weights[:, 0] = [1, -1, 2, -2, 3, -3, 4, 4, -4, 5, 6, 7]
    bias = np.array([0, 0, 1, -1, 2, -2, 3, 4, -4, 5, -40, 40], np.int32)
    cases = []
    for zero_out in (-128, 0, 5, 127):
        for weight_scale in (0.125, 0.5, 0.25):
            made = single(
                weights, bias, scale=0.05, weight_scale=weight_scale, zero_out=zero_out, zero_in=0, size=(8, 8)
            )
            cases.append(Expected(made, POINTWISE, f"zero point {zero_out}, scale {weight_scale}"))
    prove_on_core(cases, tmp_path, core=core, isa=isa, count=8)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_constant_channels(core: str, isa: Isa, tmp_path: Path) -> None:
    """Dead channels as converters leave them, and channels that always saturate; the others keep the fast form."""
    weights = np.array([[3, -5, 7], [0, 0, 0], [9, 9, -9], [0, 0, 0], [1, 0, 0], [2, 1, 1]])
    cases = []
    for limit in (0, 100, 2**30):
        bias = np.array([10, limit, -20, -limit, limit, -limit], np.int32)
        for zero_out in (-128, 0, 127):
            made = single(weights, bias, weight_scale=[0.01, 1e-9, 0.02, 1e-30, 0.01, 0.01], zero_out=zero_out)
            if limit < 2**30:
                assert argument(lowered(made, isa=isa)[2], "form") != Form.ANY
            cases.append(Expected(made, POINTWISE, f"biases to {limit}, zero point {zero_out}"))
    prove_on_core(cases, tmp_path, core=core, isa=isa)


def test_a_padded_copy_is_taken_where_it_is_small() -> None:
    for shape in LARGE_SHAPES:
        assert argument(lowered(convolution(Rng(7), *shape[:-1]), isa=Isa.V6M)[2], "padded") == 0
    small = convolution(Rng(7), 10, 8, 4, 4, (3, 3), (1, 1), (1, 1), "SAME", "RELU")
    assert argument(lowered(small, isa=Isa.V6M)[2], "padded") == 1


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_weights_of_minus_128(core: str, isa: Isa, tmp_path: Path) -> None:
    weights = np.array([[-128, 5, -128, 7], [0, -128, 127, -128], [-128, -128, -128, -128]])
    prove_on_core([Expected(single(weights), POINTWISE, "-128")], tmp_path, core=core, isa=isa)


def test_clamped_accumulators(tmp_path: Path) -> None:
    """Long sums for which ARMv6-M has a line only within the accumulators that are not saturated."""
    rng = Rng(8)
    cases = []
    for depth, zero_out in ((300, -128), (300, 3), (600, -128), (600, -7)):
        scales = rng.scales(24, 0.005, 0.02)
        made = single(rng.weights(24, depth), rng.bias(24), weight_scale=scales, zero_out=zero_out, size=(3, 3))
        step = lowered(made, isa=Isa.V6M)[2]
        assert argument(step, "reach_bits") > 0
        assert "clamped" in step.reason
        cases.append(Expected(made, POINTWISE, f"depth {depth}"))
    prove_on_core(cases, tmp_path, core="cortex-m0plus", isa=Isa.V6M, count=6)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_an_activation_that_leaves_one_value(core: str, isa: Isa, tmp_path: Path) -> None:
    def build(b: Builder) -> int:
        x = b.input((1, 3, 3, 4), scale=0.05, zero_point=3)
        return b.conv_2d(x, Rng(5).weights(5, 1, 1, 4), 0.01, scale=0.4, zero_point=127, activation="RELU")

    prove_on_core([Expected(model(build), POINTWISE, "RELU from 127 on")], tmp_path, core=core, isa=isa)


def test_the_reason_says_where_the_weights_lie() -> None:
    made = convolution(Rng(6), 4, 4, 8, 8, (1, 1), (1, 1), (1, 1), "SAME", "RELU")
    for optimize, words in ((Optimize.SPEED, "as words"), (Optimize.SIZE, "as bytes")):
        assert words in lowered(made, optimize, isa=Isa.V6M)[2].reason
