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


def test_unsigned_borders(prove: Prove) -> None:
    """uint8 inputs and outputs, from and to int8 and from and to floats."""

    def integers(scale_in: float, zero_in: int, scale: float, zero: int) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 300), scale=scale_in, zero_point=zero_in, dtype="uint8")
            inner = b.quantize(x, scale=scale, zero_point=zero)
            total = b.binary("ADD", inner, inner, scale=2 * scale, zero_point=zero)
            output = b.tensor((1, 300), dtype="uint8", scale=scale_in, zero_point=zero_in)
            return b.op("QUANTIZE", [total], [output], "QuantizeOptions")

        return model(build)

    def floats(scale: float, zero: int) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 300), dtype="float32", scale=None)
            unsigned = b.tensor((1, 300), dtype="uint8", scale=scale, zero_point=zero)
            return b.dequantize(b.op("QUANTIZE", [x], [unsigned], "QuantizeOptions"))

        return model(build)

    prove([
        integers(0.1, 128, 0.1, 0),
        integers(0.1, 3, 0.07, -5),
        integers(0.02, 255, 0.07, 127),
        floats(0.05, 0),
        floats(0.03, 255),
        floats(0.5, 128),
    ])  # fmt: skip
