"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN on the MVE kernels, and their fallbacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.cases import model
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected
from tests.kernels.test_dsp_pool_2d import average, mean
from tests.support.tflite_builder import Builder
from tinyml.lower.mve.pool_2d import reciprocal

AVERAGE, MAX, MEAN = "tml_average_pool2d_mve", "tml_max_pool2d_mve", "tml_mean_mve"


def largest(shape: tuple[int, int, int], size: tuple[int, int], stride: tuple[int, int], padding: str,
            activation: str = "NONE") -> bytes:  # fmt: skip
    def build(b: Builder) -> int:
        x = b.input((1, *shape), scale=0.05, zero_point=-7)
        return b.pool_2d("MAX_POOL_2D", x, size=size, stride=stride, padding=padding, activation=activation)

    return model(build)


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_pools_and_means(compiler: str, tmp_path: Path) -> None:
    averages = [
        average((25, 5, 8), (25, 5), (25, 5), "VALID"),
        average((6, 6, 3), (2, 2), (2, 2), "VALID", "RELU"),
        average((7, 6, 12), (3, 2), (2, 1), "VALID", "RELU6"),
        average((5, 7, 17), (1, 3), (1, 2), "VALID"),
        average((15, 17, 4), (15, 17), (1, 1), "VALID"),
    ]
    maxima = [
        largest((6, 6, 16), (2, 2), (2, 2), "VALID"),
        largest((7, 5, 3), (3, 3), (2, 2), "SAME", "RELU"),
        largest((9, 9, 21), (3, 2), (1, 3), "SAME", "RELU6"),
        largest((4, 4, 40), (4, 4), (1, 1), "VALID", "RELU_N1_TO_1"),
    ]
    means = [
        mean((1, 3, 3, 8), [1, 2], False, 0.05),
        mean((1, 7, 5, 5), [1, 2], True, 0.031),
        mean((1, 17, 15, 12), [2, 1], False, 0.02),
        mean((2, 5, 4, 16), [1, 2], False, 0.01),
    ]
    cases = [Expected(m, AVERAGE, f"average {i}") for i, m in enumerate(averages)]
    cases += [Expected(m, MAX, f"maximum {i}") for i, m in enumerate(maxima)]
    cases += [Expected(m, MEAN, f"mean {i}") for i, m in enumerate(means)]
    prove_on_m55(cases, tmp_path, compiler=compiler)


def test_what_the_kernels_cannot_do_stays_portable(tmp_path: Path) -> None:
    cases = [
        Expected(average((4, 4, 4), (2, 2), (2, 2), "SAME"), AVERAGE, "no padding in the end"),
        Expected(average((5, 5, 4), (2, 2), (2, 2), "SAME"), "tml_average_pool2d", "clipped windows"),
        Expected(average((16, 16, 4), (16, 16), (1, 1), "VALID"), "tml_average_pool2d", "256 pixels"),
        Expected(average((4, 4, 4), (1, 2), (1, 1), "VALID"), "tml_average_pool2d", "2 pixels"),
        Expected(mean((1, 16, 16, 4), [1, 2], False, 0.02), "tml_reduce", "256 pixels"),
        Expected(mean((1, 5, 4, 16), [3], False, 0.02), "tml_reduce", "over channels"),
        Expected(mean((1, 5, 4, 16), [1, 2], False, 1e-4), "tml_reduce", "a scale above one"),
    ]
    prove_on_m55(cases, tmp_path)


def test_the_reciprocal_divides_exactly() -> None:
    """Every sum that a window of at most 255 pixels can have, with the half that rounds it."""
    for count in range(3, 256):
        factor = reciprocal(count)
        assert factor < 2**31
        assert all(n * factor >> 32 == n // count for n in range(0, 128 * count + count // 2 + 1, 7))
        assert all(n * factor >> 32 == n // count for q in range(129) for n in (q * count, max(q * count - 1, 0)))
