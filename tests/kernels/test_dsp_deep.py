"""Accumulators beyond 24 bits on cores with the DSP extension: the sums are taken in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model, sweep
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.kernels.rows import RowProgram, row_layer
from tests.support.host_build import random_inputs
from tests.support.tflite_builder import Builder
from tinyml.lower.dsp.gemm import choose_loop, choose_parts
from tinyml.lower.program import Int, Isa, Optimize, Target

POINTWISE, GENERAL, DENSE = "tml_pointwise_deep_dsp", "tml_conv2d_deep_dsp", "tml_fully_connected_deep_dsp"
ROUNDED_IN_FLOAT64 = "tml_fully_connected_float64"
"""Takes the few scales for which LiteRT's rounding has no integer equivalent, whatever the sums."""
BATCH, SWEEP = 50, 2_000

# Height, width, channels in, channels out, kernel, stride, padding, activation, parts.
SHAPES = [
    (5, 6, 72, 7, 3, 1, "SAME", "RELU", 2),
    (4, 5, 75, 1, 3, 1, "SAME", "NONE", 2),
    (6, 5, 130, 4, 3, 1, "VALID", "NONE", 3),
    (7, 7, 64, 3, 4, 2, "SAME", "NONE", 3),
    (2, 1, 173, 2, 3, 1, "SAME", "NONE", 4),
    (4, 5, 640, 9, 1, 1, "SAME", "NONE", 2),
    (2, 2, 1001, 6, 1, 1, "SAME", "RELU", 3),
    (1, 3, 525, 1, 1, 1, "SAME", "NONE", 2),
    (1, 1, 640, 9, 1, 1, "SAME", "NONE", 2),
]


def large(rng: Rng, *shape: int, most: int = 127) -> np.ndarray:
    """Weights near ±most, all of one sign in a channel."""
    signs = np.where(np.arange(shape[0]) % 3 == 0, -1, 1).reshape(-1, *[1] * (len(shape) - 1))
    return np.asarray(signs * (most - np.abs(rng.weights(*shape).astype(np.int32)) * most // 2032), np.int8)


def convolution(
    rng: Rng, h: int, w: int, c: int, o: int, kernel: int, stride: int, padding: str, activation: str
) -> bytes:
    def build(b: Builder) -> int:
        x = b.input((1, h, w, c), zero_point=rng.zero_point())
        weights, bias, scales = large(rng, o, kernel, kernel, c), rng.bias(o), rng.scales(o)
        return b.conv_2d(
            x, weights, scales, bias, scale=40.0, zero_point=-128 if activation == "RELU" else rng.zero_point() // 2,
            stride=(stride, stride), padding=padding, activation=activation,
        )  # fmt: skip

    return model(build)


# Rows, inputs, channels, per channel, activation.
DENSE_SHAPES = [
    (1, 704, 7, False, "NONE"), (1, 4096, 10, True, "RELU"), (3, 1016, 4, False, "NONE"), (2, 1352, 1, False, "RELU"),
    (1, 4608, 5, False, "NONE"), (1, 1024, 6, True, "RELU"), (4, 728, 11, False, "NONE"),
]  # fmt: skip


def dense(rng: Rng, rows: int, depth: int, channels: int, per_channel: bool, activation: str) -> bytes:
    """Accumulators from 2^23 to 2^24: beyond these LiteRT's rounding of fully connected layers takes floats."""
    most = min(127, 80_000 // depth)

    def build(b: Builder) -> int:
        x = b.input((rows, depth), scale=0.05, zero_point=rng.zero_point() // 8)
        scales = rng.scales(channels) if per_channel else rng.scales(1)[0]
        return b.fully_connected(
            x, large(rng, channels, depth, most=most), scales, rng.bias(channels), scale=40.0,
            zero_point=-128 if activation == "RELU" else rng.zero_point() // 2, activation=activation,
        )  # fmt: skip

    return model(build)


def kernel_of(shape: tuple[int | str, ...]) -> str:
    """Fewer than three pixels have no blocks, and are patches of one pixel."""
    return POINTWISE if shape[4] == 1 and shape[:2] != (1, 1) else GENERAL


def convolutions(seed: int) -> list[Expected]:
    rng = Rng(seed)
    return [Expected(convolution(rng, *shape[:-1]), kernel_of(shape), str(shape)) for shape in SHAPES]


def all_shapes(seed: int) -> list[Expected]:
    rng = Rng(seed)
    return [*convolutions(seed), *(Expected(dense(rng, *shape), DENSE, str(shape)) for shape in DENSE_SHAPES)]


@pytest.mark.parametrize(
    ("core", "compiler", "optimise"),
    [("cortex-m4", "gcc", "-O3"), ("cortex-m7", "gcc", "-O2"), ("cortex-m4", "zig", "-O3")],
)
def test_every_shape(core: str, compiler: str, optimise: str, tmp_path: Path) -> None:
    prove_on_core(all_shapes(1), tmp_path, core=core, compiler=compiler, optimise=optimise)


@pytest.mark.parametrize("optimize", [Optimize.SPEED, Optimize.SIZE])
def test_every_goal(optimize: Optimize, tmp_path: Path) -> None:
    prove_on_core(all_shapes(2), tmp_path, optimize=optimize)


def test_blocks_that_share_streams(tmp_path: Path) -> None:
    """Several blocks of three pixels for each stream of weights, with pixels left over."""
    rng = Rng(3)
    made = [
        convolution(rng, 22, 23, 64, 5, 3, 1, "SAME", "NONE"),
        convolution(rng, 16, 20, 530, 4, 1, 1, "SAME", "NONE"),
    ]
    for content in made:
        _, _, step = lowered(content, Optimize.SPEED, data_cache_bytes=4096)
        assert next(a.value for a in step.args if isinstance(a, Int) and a.name == "blocks") > 1
    cases = [Expected(made[0], GENERAL, "patches"), Expected(made[1], POINTWISE, "pixels")]
    prove_on_core(cases, tmp_path, optimize=Optimize.SPEED, data_cache_bytes=4096)


def test_rows_at_a_time(tmp_path: Path) -> None:
    """A call for each row of output, from windows that are cut off at the borders."""
    rng = Rng(4)
    layers = [
        row_layer(convolution(rng, *shape[:-1]), Target(Isa.DSP)) for shape in SHAPES if kernel_of(shape) == GENERAL
    ]
    assert {layer.step.kernel for layer in layers} == {GENERAL}
    program = RowProgram(layers, "cortex-m4", tmp_path, optimise="-O2")
    for index, layer in enumerate(layers):
        for inputs in random_inputs([layer.graph.tensors[t] for t in layer.graph.inputs], 1):
            got = program.run(index, inputs[0], watch_reads=True)
            assert_equal([got], layer.reference.run(inputs), f"layer {index} by rows")


def test_parts() -> None:
    for shape, expected in zip(SHAPES, convolutions(5), strict=True):
        step = lowered(expected.model)[2]
        values = {a.name: a.value for a in step.args if isinstance(a, Int)}
        assert values["parts"] == shape[-1], shape
        assert values["words"] % (values["parts"] * values["unroll"]) == 0
        assert "sums in" in step.reason and "an accumulator may reach" in step.reason


@pytest.mark.parametrize("optimize", list(Optimize))
def test_a_part_stays_within_24_bits(optimize: Optimize) -> None:
    for words in range(1, 6000):
        parts = choose_parts(words)
        part_words = choose_loop(-(-words // parts), Target(Isa.DSP, optimize)).words
        assert parts * part_words >= words
        assert 2 * part_words * 128 * 128 < 1 << 23


def test_a_large_bias_alone(tmp_path: Path) -> None:
    """Few inputs, but biases that leave 24 bits, and outputs beside which the rounding still turns."""
    weights = np.array([[127, -127, 1, 0], [0, 5, 0, 127], [1, 2, 3, 4]], np.int8)
    cases = []
    for first in (1 << 23, -(1 << 23) - 1, 1 << 25, -(1 << 25)):

        def build(b: Builder, first: int = first) -> int:
            x = b.input((1, 2, 4, 4), scale=0.05)
            bias = np.array([first, 7, -first // 2], np.int32)
            scale, zero_point = 0.05 * 0.01 * abs(first) / 200.5, -128 if first > 0 else 127
            return b.conv_2d(x, weights[:, None, None, :], 0.01, bias, scale=scale, zero_point=zero_point)

        cases.append(Expected(model(build), POINTWISE, f"bias {first}"))
    prove_on_core(cases, tmp_path, count=4)


def drawn(seeds: range) -> list[Expected]:
    """Shapes at random whose sums have at least 536 products; each fourth is a fully connected layer."""
    cases = []
    for seed in seeds:
        draw, rng = np.random.default_rng(seed), Rng(seed)
        activation = str(draw.choice(["NONE", "RELU"]))
        if seed % 4 == 0:
            rows, depth, channels = int(draw.integers(1, 4)), 8 * int(draw.integers(72, 300)), int(draw.integers(1, 12))
            layer = (rows, depth, channels, bool(draw.integers(2)), activation)
            made = dense(rng, *layer)
            if lowered(made)[2].kernel != ROUNDED_IN_FLOAT64:
                cases.append(Expected(made, DENSE, str(layer)))
            continue
        kernel = int(draw.choice([1, 2, 3, 5]))
        least = -(-536 // kernel**2)
        h, w = int(draw.integers(kernel, kernel + 4)), int(draw.integers(kernel + 2, kernel + 5))
        c, o = int(draw.integers(least, least + 200 // kernel**2 + 40)), int(draw.integers(1, 7))
        stride, padding = int(draw.integers(1, 3)) if kernel > 1 else 1, str(draw.choice(["SAME", "VALID"]))
        shape = (h, w, c, o, kernel, stride, padding, activation)
        cases.append(Expected(convolution(rng, *shape), POINTWISE if kernel == 1 else GENERAL, str(shape)))
    return cases


def test_random_shapes(tmp_path: Path) -> None:
    made = drawn(range(100))
    assert len(made) >= 98
    prove_on_core(made, tmp_path, optimise="-O2", count=1)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    """By turns for two goals; for speed Winograd's products take some of the shapes."""
    for number, (seeds, folder) in enumerate(sweep(tmp_path, SWEEP, BATCH)):
        prove_on_core(
            drawn(seeds), folder, optimise="-O2", optimize=(Optimize.BALANCED, Optimize.SIZE)[number % 2], count=1
        )


def test_inputs_that_are_not_in_eights() -> None:
    """They go to the kernel for cores without SIMD."""
    step = lowered(dense(Rng(6), 1, 700, 7, False, "NONE"))[2]
    assert step.kernel == "tml_fully_connected_v6m"
    assert "inputs in eights, here 700" in [passed.cause for passed in step.passed_over]
