"""SOFTMAX on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

from tests.kernels.cases import Prove, model
from tests.support.tflite_builder import Builder


def test_depths_scales_and_betas(prove: Prove) -> None:
    def case(shape: tuple[int, ...], scale: float, beta: float) -> bytes:
        def build(b: Builder) -> int:
            return b.softmax(b.input(shape, scale=scale, zero_point=-3), beta)

        return model(build)

    prove([
        case((1, 2), 0.1, 1.0),
        case((1, 1), 0.1, 1.0),
        case((1, 12), 0.05, 1.0),
        case((1, 10), 0.2, 0.5),
        case((1, 3, 3, 7), 0.02, 1.0),
        case((1, 2, 2, 2, 3), 0.3, 2.0),
        case((1, 300), 0.004, 1.0),
        case((1, 511), 0.0001, 1.0),
        case((1, 5), 3.0, 1.0),
        case((1, 5), 100.0, 1.0),
        case((1, 64), 1e-6, 1.0),
    ], count=10)  # fmt: skip
