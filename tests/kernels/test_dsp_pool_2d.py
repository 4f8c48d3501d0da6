"""AVERAGE_POOL_2D and MEAN on the DSP kernels, and their fallbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import model, sweep
from tests.kernels.layer_cases import CASES
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder

AVERAGE, LARGE, MEAN = "tml_average_pool2d_dsp", "tml_average_large_dsp", "tml_mean_dsp"
MAX = "tml_max_pool2d_dsp"
RANDOM, SWEEP, TOGETHER = 20, 2000, 200


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
        average((4, 4, 4), (1, 1), (2, 2), "VALID"),
        average((4, 4, 4), (2, 2), (2, 2), "SAME"),
        average((5, 7, 10), (3, 3), (1, 1), "SAME"),
        average((5, 5, 3), (2, 2), (2, 2), "SAME"),
        average((51, 5, 7), (51, 5), (51, 5), "VALID"),
        average((9, 8, 5), (9, 7), (2, 3), "SAME", "RELU_N1_TO_1"),
    ]
    large = [average((40, 30, 4), (40, 30), (1, 1), "VALID"), average((3, 255, 4), (3, 255), (1, 1), "VALID")]
    expected = [Expected(m, AVERAGE, str(i)) for i, m in enumerate(cases)]
    expected += [Expected(m, LARGE, f"large {i}") for i, m in enumerate(large)]
    prove_on_core(expected, tmp_path, core=core, compiler=compiler)


def pools(seeds: range) -> list[Expected]:
    """Averages and maxima over windows to 9 by 9 and whole images."""
    kinds = {"AVERAGE_POOL_2D": AVERAGE, "MAX_POOL_2D": MAX}
    return [Expected(CASES[kind](Draw(seed)), kernel, f"{kind} {seed}") for kind, kernel in kinds.items()
            for seed in seeds]  # fmt: skip


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_pools(core: str, compiler: str, tmp_path: Path) -> None:
    prove_on_core(pools(range(RANDOM)), tmp_path, core=core, compiler=compiler, count=1)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_core(pools(seeds), folder, optimise="-O2", count=1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 9, 64, 255])
def test_every_quotient(count: int, tmp_path: Path) -> None:
    """Every sum of so many bytes, of very many some: halves go away from zero."""
    sums = np.arange(-128 * count, 127 * count + 1, 1 + count * count // 4096)
    least = sums[:, None] // count + (np.arange(count) < (sums % count)[:, None])
    made = average((1, len(sums) * count, 1), (1, count), (1, count), "VALID")
    reference, graph, step = lowered(made)
    assert step.kernel == AVERAGE
    inputs = [least.astype(np.int8).reshape(1, 1, -1, 1)]
    program = StepProgram([Case(graph, step)], "cortex-m4", tmp_path)
    assert_equal(program.run(0, inputs).outputs, reference.run(inputs), f"quotients by {count}")


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m7", "zig")])
def test_means(core: str, compiler: str, tmp_path: Path) -> None:
    cases = [
        mean((1, 3, 3, 8), [1, 2], False, 0.05),
        mean((1, 7, 5, 4), [1, 2], True, 0.031),
        mean((1, 40, 30, 4), [2, 1], False, 0.02),
        mean((1, 1, 1, 4), [-3, -2], False, 0.07),
        mean((1, 5, 4, 16), [1, 2], False, 1e-4),
        mean((1, 3, 3, 6), [1, 2], False, 0.05),
        mean((1, 4, 3, 5), [1, 2], True, 0.02),
        mean((1, 2, 9, 7), [1, 2], False, 0.03),
    ]
    prove_on_core([Expected(m, MEAN, str(i)) for i, m in enumerate(cases)], tmp_path, core=core, compiler=compiler)


@pytest.mark.parametrize(
    "made",
    [
        average((16, 16, 4), (16, 17), (1, 1), "SAME"),
        average((16, 16, 6), (16, 16), (2, 2), "VALID"),
        average((2, 300, 4), (1, 256), (1, 1), "VALID"),
    ],
)
def test_averages_that_stay_portable(made: bytes) -> None:
    assert lowered(made)[2].kernel == "tml_average_pool2d"


@pytest.mark.parametrize(
    "made",
    [
        mean((1, 3, 3, 3), [1, 2], False, 0.05),
        mean((1, 3, 3, 4), [1], False, 0.05),
        mean((2, 3, 3, 4), [1, 2], False, 0.05),
        mean((1, 2, 256, 4), [1, 2], False, 0.05),
        mean((3, 8), [1], False, 0.05),
    ],
)
def test_means_that_stay_portable(made: bytes) -> None:
    assert lowered(made)[2].kernel == "tml_reduce"
