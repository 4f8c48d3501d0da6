"""Functions of one int8 on the host: all 256 values, equal to the reference kernels byte by byte."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.kernels.cases import Prove, Rng, model
from tests.support.tflite_builder import Builder


def every_value(add: Callable[[Builder, int], int], scale: float, zero_point: int) -> bytes:
    """A network that applies an op to each int8 value, which are joined to the input."""

    def build(b: Builder) -> int:
        x = b.input((1, 1), scale=scale, zero_point=zero_point)
        values = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
        constant = b.constant(values, scale=scale, zero_point=zero_point)
        joined = b.concatenation([constant, x], 1)
        return add(b, joined)

    return model(build)


SCALES = (0.003, 0.0235, 0.05, 0.1, 1.0, 7.5)


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
def test_tables_of_transcendental_functions(kind: str, prove: Prove) -> None:
    """Over many scales, because the table's float32 arithmetic has to agree with the C library's."""
    rng = Rng(1)

    def add(b: Builder, x: int) -> int:
        return b.logistic(x) if kind == "LOGISTIC" else b.tanh(x)

    scales = [*SCALES, *rng.scales(60, 1e-3, 2.0), 1e-6, 7.84314e-9, 1e-15, 1e-19]
    prove([every_value(add, scale, rng.zero_point()) for scale in scales], count=0)


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE"])
def test_clamps_and_requantisation(kind: str, prove: Prove) -> None:
    rng = Rng(2)

    def case(scale: float, scale_out: float, same: bool) -> bytes:
        zero_in = rng.zero_point()
        zero_out = zero_in if same else rng.zero_point()

        def add(b: Builder, x: int) -> int:
            if kind == "QUANTIZE":
                return b.quantize(x, scale=scale_out, zero_point=zero_out)
            return b.elementwise(kind, x, scale=scale_out, zero_point=zero_out)

        return every_value(add, scale, zero_in)

    prove([
        *(case(scale, scale, True) for scale in SCALES),
        *(case(scale, other, False) for scale in SCALES for other in (0.02, 0.0471, 1.0)),
        case(0.05, 1e-8, False),
        case(5.0, 1e-3, False),
        case(1e-9, 5.0, False),
    ], count=0)  # fmt: skip


def test_hard_swish(prove: Prove) -> None:
    rng = Rng(3)

    def case(scale: float, ratio: float) -> bytes:
        zero_out = rng.zero_point()
        return every_value(
            lambda b, x: b.elementwise("HARD_SWISH", x, scale=scale * ratio, zero_point=zero_out),
            scale,
            rng.zero_point(),
        )

    prove([case(scale, ratio) for scale in (*SCALES, 0.0001, 300.0) for ratio in (1.0, 0.51, 0.03, 3.7)], count=0)


def test_leaky_relu(prove: Prove) -> None:
    rng = Rng(4)

    def case(scale: float, scale_out: float, alpha: float) -> bytes:
        zero_out = rng.zero_point()
        return every_value(
            lambda b, x: b.leaky_relu(x, alpha, scale=scale_out, zero_point=zero_out), scale, rng.zero_point()
        )

    prove([
        case(scale, out, alpha)
        for scale in (0.01, 0.1, 1.0)
        for out in (0.02, 0.11)
        for alpha in (0.01, 0.1, 0.3, 1.0, 1.7, 1e-6)
    ], count=0)  # fmt: skip
