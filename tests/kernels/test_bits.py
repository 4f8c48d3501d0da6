"""Layers of bits on every core that they are for, and where they are not taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import assert_equal
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder
from tinyml.graph.ir import Graph
from tinyml.graph.passes import run_passes
from tinyml.lower.bits.layer import applies, pack_bits
from tinyml.lower.bits.values import possible_values
from tinyml.lower.lowering import fuse_patterns, lower
from tinyml.lower.program import Isa, Target
from tinyml.lower.verdict import Verdict
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

KERNEL = "tml_bits_conv2d"
CORES = [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M), ("cortex-m4", Isa.DSP)]
Codes = tuple[float, int]
EVEN: Codes = (1 / 127, 0)
HALF: Codes = (2 / 255, -1)
ZERO_IS_LOW: Codes = (1 / 5, -128)
ZERO_IS_APART: Codes = (1 / 3, 90)

CONVOLUTIONS: list[tuple[Any, ...]] = [
    (6, 5, 32, 7, (3, 3), (1, 1), (1, 1), "SAME", "NONE", EVEN),
    (5, 6, 40, 5, (3, 3), (1, 1), (1, 1), "SAME", "RELU", HALF),
    (7, 7, 64, 4, (3, 3), (2, 2), (1, 1), "SAME", "NONE", ZERO_IS_APART),
    (8, 6, 31, 9, (5, 3), (1, 2), (1, 1), "VALID", "NONE", ZERO_IS_LOW),
    (9, 9, 48, 6, (3, 3), (1, 1), (2, 3), "SAME", "RELU6", HALF),
    (4, 4, 128, 32, (3, 3), (1, 1), (1, 1), "SAME", "NONE", HALF),
    (1, 7, 96, 9, (1, 7), (1, 1), (1, 1), "SAME", "NONE", EVEN),
    (5, 3, 256, 9, (1, 1), (1, 1), (1, 1), "VALID", "RELU_N1_TO_1", HALF),
    (2, 2, 90, 8, (2, 2), (1, 1), (1, 1), "VALID", "NONE", ZERO_IS_APART),
]
DENSE: list[tuple[Any, ...]] = [
    (1, 512, 16, "NONE", EVEN),
    (3, 200, 15, "RELU", HALF),
    (1, 2053, 4, "NONE", HALF),
    (2, 100, 24, "RELU_N1_TO_1", ZERO_IS_LOW),
]


def signs(b: Builder, x: int, codes: Codes, steps: int = 2) -> int:
    """-1 below the input's zero point, otherwise 1, in the codes of a scale and a zero point."""
    unit = 2.0 / steps
    one = b.constant(np.array(127, np.int8), scale=unit / 127)
    return b.binary("ADD", x, one, scale=codes[0], zero_point=codes[1], activation="RELU_N1_TO_1")


def weights(rng: Rng, *shape: int, magnitude: int = 127) -> np.ndarray:
    return np.where(rng.weights(*shape) < 0, -magnitude, magnitude).astype(np.int8)


def output_scale(depth: int, codes: Codes, step: float) -> float:
    """For weights of one: sums of ``depth`` signs, of which most lie within the outputs."""
    return step * float(np.sqrt(depth)) / 40


def convolution(rng: Rng, shape: tuple[Any, ...], step: float = 1.0, magnitude: int = 127) -> bytes:
    h, w, depth, channels, kernel, stride, dilation, padding, activation, codes = shape

    def build(b: Builder) -> list[int]:
        x = signs(b, b.input((1, h, w, depth), scale=4.0), codes)
        scales = [scale / magnitude for scale in rng.scales(channels, 0.5, 2.0)]
        taps = depth * kernel[0] * kernel[1]
        bias = (rng.bias(channels) / 5000 * magnitude / codes[0] * np.sqrt(taps)).astype(np.int32)
        y = b.conv_2d(
            x, weights(rng, channels, *kernel, depth, magnitude=magnitude), scales, bias,
            scale=output_scale(taps, codes, step), zero_point=rng.zero_point() // 2, stride=stride, dilation=dilation,
            padding=padding, activation=activation,
        )  # fmt: skip
        return [x, y]

    return model(build)


def dense(rng: Rng, shape: tuple[Any, ...], per_channel: bool) -> bytes:
    batches, depth, channels, activation, codes = shape

    def build(b: Builder) -> list[int]:
        x = signs(b, b.input((batches, depth), scale=4.0), codes)
        scales: Any = [scale / 127 for scale in rng.scales(channels, 0.5, 2.0)] if per_channel else 1 / 127
        bias = (rng.bias(channels) / 5000 * 127 / codes[0] * np.sqrt(depth)).astype(np.int32)
        y = b.fully_connected(
            x, weights(rng, channels, depth), scales, bias, scale=output_scale(depth, codes, 1.0),
            zero_point=rng.zero_point() // 2, activation=activation,
        )  # fmt: skip
        return [x, y]

    return model(build)


def last_step(made: bytes, isa: Isa) -> Case:
    graph = run_passes(read_graph(made))
    return Case(graph, lower(graph, Target(isa)).steps[-1])


def prove(made: list[tuple[bytes, str]], core: str, isa: Isa, directory: Path, **options: Any) -> None:
    """Every model's last layer is bits, and gives the reference's outputs, in place too where the step allows it."""
    cases: list[Case] = []
    proofs: list[tuple[Reference, str]] = []
    for data, what in made:
        case = last_step(data, isa)
        assert case.step.kernel == KERNEL, f"{what}: {case.step.kernel}, {case.step.reason}"
        for in_place in (False, True)[: 1 + bool(case.step.in_place)]:
            cases.append(Case(case.graph, case.step, in_place))
            proofs.append((Reference(data), what))
    program = StepProgram(cases, core, directory, **options)
    rng = np.random.default_rng(7)
    for index, (reference, what) in enumerate(proofs):
        shape = reference.graph.tensors[reference.graph.inputs[0]].shape
        drawn = rng.integers(-128, 128, shape)
        for x in (drawn, np.full(shape, -128), np.full(shape, 127), np.where(drawn < 100, -5, 5)):
            bits, wanted = reference.run([x.astype(np.int8)])
            assert_equal(program.run(index, [bits]).outputs, [wanted], what)


def drawn(rng: np.random.Generator) -> tuple[Any, ...]:
    """A convolution that takes less as bits on every core."""
    kernel = tuple(rng.integers(1, 5, 2).tolist())
    depth = int(rng.integers(26, 33) if rng.random() < 0.5 else rng.choice([64, 90, 128]))
    if kernel[0] * kernel[1] * depth < 200:
        depth = 256
    stride, dilation = tuple(rng.integers(1, 3, 2).tolist()), tuple(rng.integers(1, 3, 2).tolist())
    sides = [int(rng.integers((k - 1) * d + 4, 13)) for k, d in zip(kernel, dilation, strict=True)]
    padding, activation = str(rng.choice(["SAME", "VALID"])), str(rng.choice(["NONE", "RELU", "RELU6"]))
    codes = [EVEN, HALF, ZERO_IS_LOW, ZERO_IS_APART][rng.integers(4)]
    return (*sides, depth, int(rng.integers(28, 40)), kernel, stride, dilation, padding, activation, codes)


def random_model(seed: int) -> bytes:
    """A layer that is taken as bits on every core; with MVE only for odd seeds, whose outputs are steep."""
    return convolution(Rng(seed), drawn(np.random.default_rng(seed)), 0.002 if seed % 2 else 1.0)


@pytest.mark.parametrize(("core", "isa", "compiler"), [(*CORES[0], "gcc"), (*CORES[1], "zig"), (*CORES[2], "gcc")])
def test_every_shape(core: str, isa: Isa, compiler: str, tmp_path: Path) -> None:
    rng, shapes = Rng(1), np.random.default_rng(1)
    made = [(convolution(rng, shape), str(shape)) for shape in [*CONVOLUTIONS, *(drawn(shapes) for _ in range(6))]]
    made += [(dense(rng, shape, per_channel), str(shape)) for shape in DENSE for per_channel in (False, True)]
    prove(made, core, isa, tmp_path, compiler=compiler, optimise="-O2")


@pytest.mark.parametrize("step", [0.002, 0.1, 30.0])
def test_steep_and_flat_outputs(step: float, tmp_path: Path) -> None:
    """From two outputs for all sums to a handful of sums an output."""
    prove([(convolution(Rng(3), shape, step), str(shape)) for shape in CONVOLUTIONS[:3]], *CORES[2], tmp_path)


def test_two_roundings_where_they_have_no_line(tmp_path: Path) -> None:
    """Halves away from zero, with a shift so small that a line right above zero is a sum late below it."""
    made = convolution(Rng(0), CONVOLUTIONS[2], magnitude=2)
    assert "two roundings" in last_step(made, Isa.DSP).step.reason
    prove([(made, "two roundings")], *CORES[2], tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize(("core", "isa"), CORES)
def test_sweep(core: str, isa: Isa, tmp_path: Path) -> None:
    shapes = np.random.default_rng(2)
    for part in range(4):
        rng, folder = Rng(100 + part), tmp_path / str(part)
        folder.mkdir()
        steps = shapes.choice([0.01, 0.3, 1.0, 3.0], 40)
        made = [
            (convolution(rng, shape, float(step)), str(shape)) for step, shape in ((s, drawn(shapes)) for s in steps)
        ]
        prove(made, core, isa, folder)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_estimates_of_what_an_output_takes(core: str, isa: Isa, tmp_path: Path) -> None:
    rng = Rng(5)
    shapes = [(8, 8, 32, 32, (3, 3), (1, 1), (1, 1), "SAME", "NONE", HALF), (6, 6, 128, 32, *CONVOLUTIONS[0][4:])]
    cases = [last_step(convolution(rng, shape), isa) for shape in shapes]
    program = StepProgram(cases, core, tmp_path, optimise="-O2")
    for index, case in enumerate(cases):
        x = np.full(case.graph.tensors[case.step.inputs[0]].shape, 7, np.int8)
        run = program.run(index, [x], count=True)
        said = float(case.step.reason.split("about ")[1].split()[0])
        assert said == pytest.approx(run.instructions / run.outputs[0].size, rel=0.15)


def network(change: Callable[[Builder, int], int], depth: int = 64) -> Graph:
    """A convolution of weights ±127 of what ``change`` makes of an input."""

    def build(b: Builder) -> int:
        x = change(b, b.input((1, 6, 6, depth), scale=4.0))
        return b.conv_2d(x, weights(Rng(1), 16, 3, 3, b.values[x].shape[3]))

    return fuse_patterns(run_passes(read_graph(model(build))))


def values_of(change: Callable[[Builder, int], int]) -> list[int]:
    graph = network(change)
    return sorted(possible_values(graph, graph.ops[-1].inputs[0]))


def test_values_are_proven_through_tables_and_what_moves_elements() -> None:
    assert values_of(lambda b, x: signs(b, x, EVEN)) == [-127, 127]
    assert values_of(lambda b, x: b.pool_2d("MAX_POOL_2D", signs(b, x, HALF), stride=(1, 1))) == [-128, 126]
    assert values_of(lambda b, x: b.reshape(signs(b, x, EVEN), (1, 3, 12, 64))) == [-127, 127]
    assert values_of(lambda b, x: b.elementwise("RELU_N1_TO_1", x, scale=1 / 127)) == [-127, 0, 127]
    assert len(values_of(lambda b, x: x)) == 256
    assert len(values_of(lambda b, x: b.pool_2d("AVERAGE_POOL_2D", signs(b, x, EVEN)))) == 256


def verdict(graph: Graph, target: Target) -> Verdict:
    return applies(graph, graph.ops[-1], target)


def test_what_is_not_bits_says_why() -> None:
    dsp = Target(Isa.DSP)
    three = verdict(network(lambda b, x: b.elementwise("RELU_N1_TO_1", x, scale=1 / 127)), dsp)
    assert three.unproven
    assert three.cause == "weights of two values, but its input may take 3"
    few = verdict(network(lambda b, x: signs(b, x, EVEN), depth=8), dsp)
    assert few.cause == "about 156 instructions an output as bits, 61 as bytes"
    graph = network(lambda b, x: signs(b, x, EVEN))
    assert verdict(graph, dsp)
    assert verdict(graph, replace(dsp, by_rows=True))
    op = graph.ops[-1]
    ternary = graph.tensors[op.inputs[1]]
    assert ternary.data is not None
    data = ternary.data.copy()
    data[0, 0, 0, 0] = 0
    changed = (*graph.tensors, replace(ternary, data=data))
    other = replace(op, inputs=(op.inputs[0], len(graph.tensors), *op.inputs[2:]))
    graph = replace(graph, tensors=changed, ops=(*graph.ops[:-1], other))
    assert verdict(graph, dsp).cause == "weights of more than two values"


def test_bits_lie_as_the_kernel_packs_codes() -> None:
    bits = np.zeros((1, 1, 37), np.bool_)
    bits[0, 0, [0, 1, 4, 31, 36]] = True
    assert pack_bits(bits).tolist() == [[[1 | 1 << 8 | 1 << 1 | 1 << 31, 1 << 1]]]


def test_weights_take_a_bit_each_and_rows_of_the_input_are_packed_in_turn() -> None:
    case = last_step(convolution(Rng(1), (6, 5, 32, 32, *CONVOLUTIONS[0][4:])), Isa.DSP)
    assert case.step.consts[0].size_bytes == 32 * 9 * 32 // 8
    assert case.step.scratch_bytes == 4 * (3 * 5 + 9 + 32)
    assert case.step.in_place == ((0, 0),)
    wider = last_step(convolution(Rng(1), (6, 5, 32, 33, *CONVOLUTIONS[0][4:])), Isa.DSP)
    assert wider.step.in_place == ()
