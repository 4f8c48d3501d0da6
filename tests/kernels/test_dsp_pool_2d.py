"""AVERAGE_POOL_2D and MEAN on the DSP kernels, and their fallbacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.cases import model
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support.tflite_builder import Builder

AVERAGE, MEAN = "tml_average_pool2d_dsp", "tml_mean_dsp"


def average(shape: tuple[int, int, int], size: tuple[int, int], stride: tuple[int, int], padding: str,
            activation: str = "NONE") -> bytes:  # fmt: skip
    def build(b: Builder) -> int:
        x = b.input((1, *shape), scale=0.05, zero_point=-7)
        return b.pool_2d("AVERAGE_POOL_2D", x, size=size, stride=stride, padding=padding, activation=activation)

    return model(build)


def mean(shape: tuple[int, ...], axes: list[int], keep_dims: bool, scale: float) -> bytes:
    def build(b: Builder) -> int:
        x = b.input(shape, scale=0.05, zero_point=11)
        return b.reduce("MEAN", x, axes, keep_dims=keep_dims, scale=scale, zero_point=-3)

    return model(build)


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m7", "gcc"), ("cortex-m33", "zig")])
def test_averages(core: str, compiler: str, tmp_path: Path) -> None:
    cases = [
        average((25, 5, 8), (25, 5), (25, 5), "VALID"),
        average((6, 6, 4), (2, 2), (2, 2), "VALID", "RELU"),
        average((7, 6, 12), (3, 2), (2, 1), "VALID", "RELU6"),
        average((40, 30, 4), (40, 30), (1, 1), "VALID"),
        average((3, 255, 4), (3, 255), (1, 1), "VALID"),
        average((4, 4, 4), (1, 1), (2, 2), "VALID"),
        average((4, 4, 4), (2, 2), (2, 2), "SAME"),
    ]
    prove_on_core([Expected(m, AVERAGE, str(i)) for i, m in enumerate(cases)], tmp_path, core=core, compiler=compiler)


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m7", "zig")])
def test_means(core: str, compiler: str, tmp_path: Path) -> None:
    cases = [
        mean((1, 3, 3, 8), [1, 2], False, 0.05),
        mean((1, 7, 5, 4), [1, 2], True, 0.031),
        mean((1, 40, 30, 4), [2, 1], False, 0.02),
        mean((1, 1, 1, 4), [-3, -2], False, 0.07),
        mean((1, 5, 4, 16), [1, 2], False, 1e-4),
    ]
    prove_on_core([Expected(m, MEAN, str(i)) for i, m in enumerate(cases)], tmp_path, core=core, compiler=compiler)


@pytest.mark.parametrize(
    "made",
    [
        average((5, 5, 4), (2, 2), (2, 2), "SAME"),
        average((4, 4, 6), (2, 2), (2, 2), "VALID"),
        average((2, 300, 4), (1, 256), (1, 1), "VALID"),
    ],
)
def test_averages_that_stay_portable(made: bytes) -> None:
    assert lowered(made)[2].kernel == "tml_average_pool2d"


@pytest.mark.parametrize(
    "made",
    [
        mean((1, 3, 3, 6), [1, 2], False, 0.05),
        mean((1, 3, 3, 4), [1], False, 0.05),
        mean((2, 3, 3, 4), [1, 2], False, 0.05),
        mean((1, 2, 256, 4), [1, 2], False, 0.05),
        mean((3, 8), [1], False, 0.05),
    ],
)
def test_means_that_stay_portable(made: bytes) -> None:
    assert lowered(made)[2].kernel == "tml_reduce"
