"""MEAN and SUM on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

import pytest

from tests.kernels.cases import Prove, Rng, model
from tests.support.tflite_builder import Builder

CASES = [
    ((1, 4, 5, 3), [1, 2]),
    ((1, 4, 5, 3), [2, 1]),
    ((1, 4, 5, 3), [-1]),
    ((1, 4, 5, 3), [1]),
    ((1, 4, 5, 3), [2]),
    ((1, 4, 5, 3), [1, 3]),
    ((1, 4, 5, 3), [0, 1, 2, 3]),
    ((1, 7, 6), [1]),
    ((1, 9), [1]),
    ((1, 2, 3, 4, 5), [1, 2, 4]),
    ((1, 2, 3, 4, 5), [1, 3]),
    ((1, 32, 32, 2), [1, 2]),
    ((1, 1, 1, 5), [1, 2]),
]


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize("keep_dims", [False, True])
def test_axes(kind: str, keep_dims: bool, prove: Prove) -> None:
    rng = Rng(1)

    def case(shape: tuple[int, ...], axes: list[int], scale: float) -> bytes:
        def build(b: Builder) -> int:
            x = b.input(shape, scale=0.05, zero_point=rng.zero_point())
            return b.reduce(kind, x, axes, keep_dims=keep_dims, scale=scale, zero_point=rng.zero_point())

        return model(build)

    prove([case(shape, axes, 0.05 if i % 3 else 0.013) for i, (shape, axes) in enumerate(CASES)], count=5)


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
def test_extreme_scales(kind: str, prove: Prove) -> None:
    """Ratios that flush to zero, that shift left, and that limit how far MEAN's multiplier can be shifted."""

    def case(scale_in: float, scale_out: float) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 6, 6, 2), scale=scale_in, zero_point=-128)
            return b.reduce(kind, x, [1, 2], scale=scale_out, zero_point=9)

        return model(build)

    prove([
        case(a, b)
        for a, b in ((1.0, 1.0), (0.05, 1e-8), (1e-8, 5.0), (1e-9, 1.0), (1.0, 1.9e9), (1.0, 3e8), (7.0, 0.4))
    ])  # fmt: skip
