"""QUANTIZE of floats and DEQUANTIZE on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

from tests.kernels.cases import Prove, model
from tests.support.tflite_builder import Builder


def test_float_borders(prove: Prove) -> None:
    """A float input is quantised and a float output computed, over many scales; the extremes are ±10,000."""

    def case(scale: float, zero_point: int) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 200), dtype="float32", scale=None)
            quantised = b.quantize(x, scale=scale, zero_point=zero_point)
            return b.dequantize(b.binary("ADD", quantised, quantised, scale=scale * 2, zero_point=zero_point))

        return model(build)

    prove([case(scale, zero) for scale in (0.01, 0.05, 0.0625, 0.5, 3.0) for zero in (-128, 0, 127)], count=6)
