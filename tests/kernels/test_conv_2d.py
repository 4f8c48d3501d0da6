"""CONV_2D and DEPTHWISE_CONV_2D on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.cases import Prove, Rng, model
from tests.support.tflite_builder import Builder

# Height, width, channels in, channels out, kernel, stride, dilation, padding, groups, activation.
CONVOLUTIONS = [
    (5, 5, 3, 4, (3, 3), (1, 1), (1, 1), "SAME", 1, "RELU"),
    (5, 5, 3, 5, (3, 3), (1, 1), (1, 1), "VALID", 1, "NONE"),
    (7, 6, 1, 3, (3, 3), (2, 2), (1, 1), "SAME", 1, "RELU6"),
    (6, 7, 4, 8, (1, 1), (1, 1), (1, 1), "VALID", 1, "NONE"),
    (6, 7, 5, 7, (1, 1), (2, 2), (1, 1), "SAME", 1, "RELU"),
    (5, 5, 2, 3, (1, 1), (3, 3), (1, 1), "VALID", 1, "RELU_N1_TO_1"),
    (9, 1, 3, 2, (3, 1), (1, 1), (1, 1), "SAME", 1, "NONE"),
    (1, 9, 3, 2, (1, 4), (1, 2), (1, 1), "SAME", 1, "NONE"),
    (10, 8, 1, 4, (10, 4), (2, 2), (1, 1), "SAME", 1, "RELU"),
    (9, 9, 2, 3, (3, 3), (1, 1), (2, 2), "SAME", 1, "NONE"),
    (9, 9, 2, 3, (3, 2), (1, 1), (4, 3), "VALID", 1, "NONE"),
    (4, 4, 3, 2, (3, 3), (1, 1), (16, 16), "SAME", 1, "NONE"),
    (6, 6, 8, 4, (3, 3), (1, 1), (1, 1), "SAME", 2, "RELU"),
    (6, 6, 6, 9, (3, 2), (2, 1), (1, 1), "SAME", 3, "NONE"),
    (4, 4, 16, 16, (1, 1), (1, 1), (1, 1), "SAME", 16, "NONE"),
    (4, 4, 4, 4, (5, 5), (4, 4), (1, 1), "SAME", 4, "NONE"),
    (3, 3, 2, 1, (5, 7), (1, 1), (1, 1), "SAME", 1, "NONE"),
    (1, 1, 7, 5, (3, 3), (1, 1), (1, 1), "SAME", 1, "RELU"),
    (8, 8, 1, 1, (2, 2), (3, 3), (1, 1), "SAME", 1, "NONE"),
    (8, 8, 13, 3, (2, 2), (5, 4), (1, 1), "VALID", 1, "NONE"),
]

# Height, width, channels, multiplier, kernel, stride, dilation, padding, activation.
DEPTHWISE = [
    (5, 5, 3, 1, (3, 3), (1, 1), (1, 1), "SAME", "RELU"),
    (5, 5, 8, 1, (3, 3), (2, 2), (1, 1), "SAME", "RELU6"),
    (6, 5, 5, 1, (3, 3), (2, 2), (1, 1), "VALID", "NONE"),
    (6, 5, 1, 8, (3, 3), (1, 1), (1, 1), "SAME", "NONE"),
    (6, 6, 3, 2, (5, 5), (1, 1), (1, 1), "SAME", "RELU"),
    (9, 9, 2, 1, (9, 9), (1, 1), (1, 1), "SAME", "NONE"),
    (7, 7, 4, 1, (1, 3), (1, 1), (1, 1), "SAME", "NONE"),
    (7, 7, 4, 2, (3, 1), (2, 1), (1, 1), "SAME", "NONE"),
    (9, 9, 3, 1, (3, 3), (1, 1), (2, 2), "SAME", "NONE"),
    (9, 8, 3, 1, (3, 2), (1, 1), (3, 6), "VALID", "NONE"),
    (4, 4, 4, 1, (3, 3), (1, 1), (6, 6), "SAME", "RELU"),
    (1, 1, 7, 1, (3, 3), (1, 1), (1, 1), "SAME", "NONE"),
    (1, 12, 5, 3, (1, 7), (1, 3), (1, 1), "SAME", "NONE"),
    (8, 8, 2, 1, (2, 2), (4, 4), (1, 1), "SAME", "NONE"),
    (8, 8, 6, 1, (1, 1), (1, 1), (1, 1), "SAME", "NONE"),
]


def test_convolutions_of_every_shape(prove: Prove) -> None:
    rng = Rng(1)

    def case(h: int, w: int, c: int, o: int, kernel: tuple[int, int], stride: tuple[int, int],
             dilation: tuple[int, int], padding: str, groups: int, activation: str) -> bytes:  # fmt: skip
        def build(b: Builder) -> int:
            x = b.input((1, h, w, c), scale=0.05, zero_point=rng.zero_point())
            return b.conv_2d(
                x,
                rng.weights(o, *kernel, c // groups),
                rng.scales(o),
                rng.bias(o),
                scale=0.3,
                zero_point=rng.zero_point(),
                stride=stride,
                dilation=dilation,
                padding=padding,
                activation=activation,
            )

        return model(build)

    prove([case(*c) for c in CONVOLUTIONS])


def test_depthwise_convolutions_of_every_shape(prove: Prove) -> None:
    rng = Rng(2)

    def case(h: int, w: int, c: int, multiplier: int, kernel: tuple[int, int], stride: tuple[int, int],
             dilation: tuple[int, int], padding: str, activation: str) -> bytes:  # fmt: skip
        def build(b: Builder) -> int:
            x = b.input((1, h, w, c), scale=0.05, zero_point=rng.zero_point())
            o = c * multiplier
            return b.depthwise_conv_2d(
                x,
                rng.weights(1, *kernel, o),
                rng.scales(o),
                rng.bias(o),
                scale=0.1,
                zero_point=rng.zero_point(),
                stride=stride,
                dilation=dilation,
                padding=padding,
                activation=activation,
            )

        return model(build)

    prove([case(*c) for c in DEPTHWISE])


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
def test_extreme_quantisation(kind: str, prove: Prove) -> None:
    """Zero points at the ends, tiny and huge output scales (multipliers from 1e-13 to 5,000), one scale, no bias."""
    rng = Rng(3)

    def case(zero_in: int, zero_out: int, scale_out: float, bias_limit: int | None, per_channel: bool) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 4, 3, 4), scale=0.05, zero_point=zero_in)
            scales = rng.scales(4) if per_channel else 0.003
            if kind == "conv":
                weights, bias = rng.weights(4, 2, 2, 4), rng.bias(4, bias_limit or 0)
                return b.conv_2d(x, weights, scales, bias, scale=scale_out, zero_point=zero_out)
            bias = None if bias_limit is None else rng.bias(4, bias_limit)
            return b.depthwise_conv_2d(x, rng.weights(1, 2, 2, 4), scales, bias, scale=scale_out, zero_point=zero_out)

        return model(build)

    prove([
        case(-128, -128, 0.1, 100, True),
        case(127, 127, 0.1, 100, True),
        case(-128, 127, 0.02, None, False),
        case(127, -128, 1e-8, 50, True),
        case(0, 5, 1e-8, None, False),
        case(3, -7, 1e-6, 10_000, True),
        case(3, 0, 1e-4, 2**31 - 1, True),
        case(3, 0, 5.0, 2**31 - 1, True),
        case(-4, 11, 1e5, 2**30, False),
        case(0, 0, 2e9, 2**30, True),
    ])  # fmt: skip


def test_ties_of_power_of_two_scales(prove: Prove) -> None:
    """Accumulators that lie exactly between two outputs, on both sides of zero."""
    bias = np.arange(-40, 40, dtype=np.int32)

    def build(b: Builder) -> int:
        x = b.input((1, 1, 1, 1), scale=1.0)
        return b.conv_2d(x, np.zeros((80, 1, 1, 1), np.int8), 0.125, bias, scale=1.0)

    prove([model(build)])
