"""DEPTHWISE_CONV_2D on the kernel for cores without SIMD, on ARMv6-M and ARMv7-M, and its fallbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.kernels.test_dsp_depthwise import SHAPES, depthwise
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa
from tinyml.lower.v6m.depthwise_conv_2d import bands

FAST, PORTABLE, WINDOW = "tml_depthwise_conv2d_v6m", "tml_depthwise_conv2d", "tml_grouped_conv2d_v6m"
CORES = [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)]
MORE_SHAPES = [
    (9, 9, 2, 1, (3, 3), (3, 3), "SAME", "NONE"),
    (11, 10, 3, 1, (3, 3), (5, 4), "SAME", "RELU"),
    (10, 12, 2, 2, (5, 5), (4, 3), "VALID", "NONE"),
    (1, 49, 4, 1, (1, 5), (1, 1), "SAME", "RELU"),
    (49, 1, 4, 1, (5, 1), (1, 1), "SAME", "RELU"),
    (2, 2, 3, 1, (7, 7), (2, 2), "SAME", "NONE"),
]


@pytest.mark.parametrize(("compiler", "optimise"), [("gcc", "-O2"), ("gcc", "-Os"), ("zig", "-O2")])
@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_shape(core: str, isa: Isa, compiler: str, optimise: str, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(depthwise(rng, *shape), FAST, str(shape)) for shape in [*SHAPES, *MORE_SHAPES]]
    cases.append(
        Expected(depthwise(rng, 12, 9, 3, 1, (3, 3), (1, 1), "SAME", "NONE", (3, 1)), FAST, "dilated vertically")
    )
    prove_on_core(cases, tmp_path, core=core, isa=isa, compiler=compiler, optimise=optimise, count=1)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_shift(core: str, isa: Isa, tmp_path: Path) -> None:
    rng = Rng(2)
    cases = []
    for exponent in (-40, -20, -12, -9, -6, -4, -3, -2, -1, 0, 1, 3):
        for activation in ("NONE", "RELU"):
            scale = 0.05 * 0.01 * 2.0**-exponent
            made = depthwise(rng, 4, 4, 6, 1, (3, 3), (1, 1), "SAME", activation, scale=scale)
            kernel = lowered(made, isa=isa)[2].kernel
            assert kernel == (FAST if -12 <= exponent <= -6 else kernel)
            cases.append(Expected(made, kernel, f"about 2^{exponent}"))
    assert {case.kernel for case in cases} == {FAST, WINDOW}
    prove_on_core(cases, tmp_path, core=core, isa=isa, count=4)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_dilated_and_wide_kernels_go_channel_by_channel(core: str, isa: Isa, tmp_path: Path) -> None:
    """Those of a single channel stay portable."""
    cases = []
    for kernel, dilation in (((3, 3), (2, 2)), ((9, 9), (1, 1)), ((2, 3), (1, 5))):
        for channels, chosen in ((1, PORTABLE), (3, WINDOW)):
            made = depthwise(Rng(3), 12, 13, channels, 1, kernel, (1, 1), "SAME", "NONE", dilation)
            cases.append(Expected(made, chosen, f"{kernel}, dilation {dilation}, {channels} channels"))
    prove_on_core(cases, tmp_path, core=core, isa=isa, optimise="-O2")


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_sums_at_the_bound(core: str, isa: Isa, tmp_path: Path) -> None:
    """Tall kernels whose sums reach -2^20, and one more step of 128, which stays portable."""
    cases = []
    for extra, kernel in ((0, FAST), (1, PORTABLE)):
        weights = np.zeros((1, 30, 3, 1), np.int8)
        flat = weights.reshape(-1)
        whole, rest = divmod(8192 + extra, 127)
        flat[:whole], flat[whole] = 127, rest

        def build(b: Builder, weights: np.ndarray = weights) -> int:
            x = b.input((1, 33, 3, 1), scale=0.05)
            return b.depthwise_conv_2d(x, weights, [0.01], np.zeros(1, np.int32), scale=0.2, padding="VALID")

        cases.append(Expected(model(build), kernel, f"{extra} beyond"))
    prove_on_core(cases, tmp_path, core=core, isa=isa)


def test_bands_cover_the_output() -> None:
    for height in range(1, 30):
        for width in range(1, 30):
            cut = bands(height, width)
            size, whole = (cut.rows, height) if cut.vertical else (cut.columns, width)
            covered = {start + i for start in (0, cut.second, cut.third) for i in range(size)}
            assert covered == set(range(whole))
