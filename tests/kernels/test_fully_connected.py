"""FULLY_CONNECTED with LiteRT's rounding, on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.kernels.cases import Prove, Rng, model
from tests.support.host_build import compile_network, host_program, input_bytes, random_inputs, run_program
from tests.support.tflite_builder import Builder
from tinyml.tflite.reference import Reference


def test_shapes(prove: Prove) -> None:
    """Odd depths and outputs, batches, ranks, activations, per tensor and per channel, with and without bias."""
    rng = Rng(1)

    def case(shape: tuple[int, ...], out: int, per_channel: bool, bias: bool, activation: str, keep: bool) -> bytes:
        def build(b: Builder) -> int:
            x = b.input(shape, scale=0.04, zero_point=rng.zero_point())
            return b.fully_connected(
                x,
                rng.weights(out, shape[-1]),
                rng.scales(out) if per_channel else 0.004,
                rng.bias(out) if bias else None,
                scale=0.2,
                zero_point=rng.zero_point(),
                keep_num_dims=keep,
                activation=activation,
            )

        return model(build)

    prove([
        case((1, 1), 1, False, True, "NONE", False),
        case((1, 7), 3, False, True, "RELU", False),
        case((1, 64), 12, True, True, "NONE", False),
        case((1, 33), 5, True, False, "RELU6", False),
        case((3, 10), 4, False, False, "RELU_N1_TO_1", False),
        case((2, 3, 5), 6, True, True, "NONE", True),
        case((1, 2, 2, 9), 2, False, True, "RELU", True),
        case((1, 640), 2, False, True, "NONE", False),
    ])  # fmt: skip


def test_ties_round_away_from_zero(prove: Prove) -> None:
    """Effective scales that are powers of two or simple fractions, with accumulators on every tie."""
    bias = np.arange(-300, 300, dtype=np.int32)

    def case(weight_scale: float, zero_point: int) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 2), scale=1.0)
            weights = np.zeros((len(bias), 2), np.int8)
            return b.fully_connected(x, weights, weight_scale, bias, scale=1.0, zero_point=zero_point)

        return model(build)

    prove([case(scale, zero) for scale in (0.5, 0.25, 0.75, 0.1, 1.0, 1.5, 0.0625) for zero in (0, -128, 100)])


def test_scaled_sums_outside_of_int32(prove: Prove) -> None:
    """Multipliers up to 5,000 and accumulators near the ends of int32: what leaves int32 there, leaves it here."""
    near_end = 2**31 - 2**20
    bias = np.array([near_end, -near_end, 2**30, -(2**30), 2**20, -(2**20), 429496, 429497, 3, -3, 0, 1], np.int32)

    def case(weight_scale: float, zero_point: int, per_channel: bool) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 3), scale=1.0, zero_point=7)
            weights = Rng(4).weights(len(bias), 3)
            scales = [weight_scale] * len(bias) if per_channel else weight_scale
            return b.fully_connected(x, weights, scales, bias, scale=1.0, zero_point=zero_point)

        return model(build)

    prove([
        case(scale, zero, channels)
        for scale in (5000.0, 300.0, 1.0, 0.7)
        for zero in (0, -128, 127)
        for channels in (False, True)
    ])  # fmt: skip


def test_tiny_scales(prove: Prove) -> None:
    rng = Rng(5)

    def case(weight_scale: float, out_scale: float) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((1, 16), scale=0.05, zero_point=-128)
            return b.fully_connected(x, rng.weights(6, 16), weight_scale, rng.bias(6), scale=out_scale, zero_point=3)

        return model(build)

    prove([case(1e-8, 0.1), case(1e-3, 1e-8), case(1e-10, 1e-8), case(1e-12, 5.0), case(0.003, 1e-6)])


def test_accumulators_too_large_for_an_integer_multiplier(prove: Prove) -> None:
    """A bias of 2^29 over a tiny scale: the steps lie so far out that LiteRT's float64 has no integer equivalent."""
    rng = Rng(6)
    scales = [1.3059597341495797e-07, 1.726640258770355e-07, 2.3748725125549608e-07, 3.1e-07]

    def case(scale: float, per_channel: bool) -> bytes:
        def build(b: Builder) -> int:
            x = b.input((2, 2000), scale=0.0471, zero_point=-128)
            bias = rng.bias(12, 2**29)
            return b.fully_connected(
                x, rng.weights(12, 2000), [scale] * 12 if per_channel else scale, bias, scale=0.0313, zero_point=-3
            )

        return model(build)

    models = [case(scale, channels) for scale in scales for channels in (False, True)]
    kernels = [compile_network(one).program.steps[0].kernel for one in models]
    assert "tml_fully_connected_float64" in kernels
    prove(models)


def test_two_roundings_are_those_of_a_pointwise_convolution(tmp_path: Path) -> None:
    """``match="tflm"``: with a scale for each channel a dense layer is TFLite's 1x1 convolution, bit for bit."""
    rng = Rng(7)
    weights, scales, bias = rng.weights(9, 33), rng.scales(9), rng.bias(9)
    quantisation = {"scale": 0.2, "zero_point": -11}

    def dense(b: Builder) -> int:
        return b.fully_connected(b.input((1, 33), scale=0.04, zero_point=5), weights, scales, bias, **quantisation)

    def pointwise(b: Builder) -> int:
        x = b.input((1, 1, 1, 33), scale=0.04, zero_point=5)
        return b.conv_2d(x, weights.reshape(9, 1, 1, 33), scales, bias, **quantisation)

    network = compile_network(model(dense), match="tflm")
    inputs = random_inputs(network.input_tensors, 200)
    contents = [input_bytes(one) for one in inputs]
    (results,) = run_program(host_program([network], tmp_path, len(inputs)), [network], [contents])
    reference, single = Reference(model(pointwise)), Reference(model(dense))
    wanted = [reference.run([one[0].reshape(1, 1, 1, 33)])[0].tobytes() for one in inputs]
    assert [result.outputs for result in results] == wanted
    assert wanted != [single.run(one)[0].tobytes() for one in inputs], "the two roundings do not differ here"
