"""ADD, SUB and MUL on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.cases import Prove, Rng, model
from tests.support.tflite_builder import Builder

SHAPES = [
    ((1, 5, 4, 3), (1, 5, 4, 3)),
    ((1, 5, 4, 3), (1, 1, 1, 3)),
    ((1, 5, 4, 3), (3,)),
    ((1, 5, 4, 3), (1, 5, 4, 1)),
    ((1, 5, 4, 3), (1,)),
    ((1, 1, 1, 3), (1, 5, 4, 3)),
    ((1, 5, 1, 3), (1, 1, 4, 1)),
    ((7, 1), (1, 9)),
    ((1, 2, 3, 4, 5), (1, 2, 1, 4, 1)),
    ((2, 1, 3, 1, 2), (1, 4, 1, 5, 1)),
    ((1,), (1,)),
]


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_broadcasting(kind: str, prove: Prove) -> None:
    rng = Rng(1)

    def case(a: tuple[int, ...], b: tuple[int, ...], activation: str) -> bytes:
        def build(m: Builder) -> int:
            x = m.input(a, scale=0.03, zero_point=rng.zero_point())
            y = m.input(b, scale=0.07, zero_point=rng.zero_point())
            return m.binary(kind, x, y, scale=0.05, zero_point=rng.zero_point(), activation=activation)

        return model(build)

    activations = ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]
    prove([case(a, b, activations[i % 4]) for i, (a, b) in enumerate(SHAPES)])


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_constants_and_the_same_tensor_twice(kind: str, prove: Prove) -> None:
    rng = Rng(2)

    def with_constant(shape: tuple[int, ...], constant_first: bool) -> bytes:
        def build(m: Builder) -> int:
            x = m.input((1, 3, 3, 4), scale=0.03, zero_point=11)
            c = m.constant(rng.weights(*shape), scale=0.01, zero_point=-7)
            return m.binary(kind, *((c, x) if constant_first else (x, c)), scale=0.04, zero_point=5)

        return model(build)

    def twice(m: Builder) -> int:
        x = m.input((1, 3, 3, 4), scale=0.03, zero_point=11)
        return m.binary(kind, x, x, scale=0.04, zero_point=5)

    models = [with_constant(shape, first) for shape in ((4,), (1, 3, 3, 4), (1,)) for first in (False, True)]
    prove([*models, model(twice)])


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_every_pair_of_values(kind: str, prove: Prove) -> None:
    """Each input value against all 256 of a constant: three inputs of 256 values and six random ones."""
    values = np.arange(-128, 128, dtype=np.int8)

    def case(scale_a: float, scale_b: float, scale_out: float, zero_points: tuple[int, int, int]) -> bytes:
        def build(m: Builder) -> int:
            x = m.input((1, 256), scale=scale_a, zero_point=zero_points[0])
            column = m.reshape(x, (256, 1))
            row = m.constant(values.reshape(1, 256), scale=scale_b, zero_point=zero_points[1])
            return m.binary(kind, column, row, scale=scale_out, zero_point=zero_points[2])

        return model(build)

    prove([
        case(0.02, 0.05, 0.06, (0, 0, 0)),
        case(0.5, 0.5, 0.5, (-128, 127, 3)),
        case(0.5, 0.25, 1.0, (1, -1, 0)),
        case(1e-4, 3.0, 0.9, (-128, -128, -128)),
        case(0.7, 1e-3, 0.001 if kind == "MUL" else 0.7, (12, -90, 127)),
    ], count=6)  # fmt: skip


def test_products_that_are_scaled_up(prove: Prove) -> None:
    """MUL with an effective scale above one, where the left shift of TFLite wraps."""
    rng = Rng(3)

    def case(scale_out: float) -> bytes:
        def build(m: Builder) -> int:
            x = m.input((1, 64), scale=0.5, zero_point=rng.zero_point())
            y = m.input((1, 64), scale=0.5, zero_point=rng.zero_point())
            return m.binary("MUL", x, y, scale=scale_out, zero_point=rng.zero_point())

        return model(build)

    prove([case(scale) for scale in (0.2, 0.01, 1e-4, 1e-6, 1e-8)], count=6)
