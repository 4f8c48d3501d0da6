"""AVERAGE_POOL_2D and MAX_POOL_2D on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

import pytest

from tests.kernels.cases import Prove, model
from tests.support.tflite_builder import Builder

CASES = [
    ((1, 6, 6, 3), (2, 2), (2, 2), "VALID", "NONE"),
    ((1, 7, 5, 3), (3, 3), (2, 2), "SAME", "RELU"),
    ((1, 7, 5, 1), (3, 2), (1, 2), "SAME", "NONE"),
    ((1, 4, 4, 5), (1, 1), (2, 2), "SAME", "NONE"),
    ((1, 4, 4, 5), (2, 2), (3, 3), "VALID", "RELU6"),
    ((1, 25, 5, 2), (25, 5), (25, 5), "VALID", "NONE"),
    ((1, 1, 9, 4), (1, 4), (1, 1), "SAME", "RELU_N1_TO_1"),
    ((1, 3, 3, 2), (9, 9), (1, 1), "SAME", "NONE"),
    ((1, 1, 1, 7), (2, 2), (1, 1), "SAME", "NONE"),
    ((1, 10, 10, 1), (3, 3), (5, 4), "SAME", "NONE"),
]


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_shapes(kind: str, prove: Prove) -> None:
    def case(shape: tuple[int, ...], size: tuple[int, int], stride: tuple[int, int], padding: str, act: str) -> bytes:
        def build(b: Builder) -> int:
            x = b.input(shape, scale=0.05, zero_point=-11)
            return b.pool_2d(kind, x, size=size, stride=stride, padding=padding, activation=act)

        return model(build)

    prove([case(*c) for c in CASES], count=6)
