"""FULLY_CONNECTED on the DSP kernel, with both roundings, and its fallbacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, assert_equal, prove_on_core
from tests.support.host_build import random_inputs
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Target
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

FAST, PORTABLE = "tml_fully_connected_dsp", "tml_fully_connected"

# Rows, depth, channels, per channel, activation.
SHAPES = [
    (1, 64, 12, True, "NONE"),
    (1, 640, 8, False, "RELU"),
    (1, 8, 16, False, "RELU"),
    (1, 1, 1, False, "NONE"),
    (1, 7, 2, True, "RELU6"),
    (3, 9, 3, True, "NONE"),
    (2, 33, 5, False, "RELU_N1_TO_1"),
    (4, 31, 4, False, "NONE"),
    (1, 100, 10, True, "RELU"),
    (1, 257, 7, True, "NONE"),
]


def dense(rng: Rng, rows: int, depth: int, channels: int, per_channel: bool, activation: str, scale: float) -> bytes:
    def build(b: Builder) -> int:
        x = b.input((rows, depth), scale=0.05, zero_point=rng.zero_point())
        scales = rng.scales(channels) if per_channel else rng.scales(1)[0]
        return b.fully_connected(
            x, rng.weights(channels, depth), scales, rng.bias(channels), scale=scale,
            zero_point=-128 if activation == "RELU" else rng.zero_point(), activation=activation,
        )  # fmt: skip

    return model(build)


@pytest.mark.parametrize(
    ("core", "compiler", "optimise", "optimize"),
    [
        ("cortex-m4", "gcc", "-O3", Optimize.BALANCED),
        ("cortex-m4", "gcc", "-O2", Optimize.SIZE),
        ("cortex-m7", "gcc", "-O3", Optimize.SPEED),
        ("cortex-m33", "gcc", "-O2", Optimize.BALANCED),
        ("cortex-m4", "zig", "-O3", Optimize.BALANCED),
    ],
)
def test_every_shape(core: str, compiler: str, optimise: str, optimize: Optimize, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(dense(rng, *shape, 0.4), FAST, str(shape)) for shape in SHAPES]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, optimise=optimise, optimize=optimize)


def test_every_shift(tmp_path: Path) -> None:
    rng = Rng(2)
    cases = [
        Expected(dense(rng, 1, 12, 6, True, "NONE", 0.05 * 0.01 * 2.0**-exponent), FAST, f"about 2^{exponent}")
        for exponent in (-40, -18, -12, -9, -4, -3, -2, -1, 0, 1, 3)
    ]
    prove_on_core(cases, tmp_path)


@dataclass(frozen=True, slots=True)
class Twins:
    """A fully connected layer and a convolution of one pixel with the same weights."""

    depth: int
    weights: np.ndarray
    scales: list[float]
    bias: np.ndarray
    zero_in: int
    zero_out: int
    activation: str

    def dense(self, b: Builder) -> int:
        x = b.input((1, self.depth), scale=0.05, zero_point=self.zero_in)
        return b.fully_connected(
            x, self.weights, self.scales, self.bias, scale=0.4, zero_point=self.zero_out, activation=self.activation
        )

    def convolution(self, b: Builder) -> int:
        x = b.input((1, 1, 1, self.depth), scale=0.05, zero_point=self.zero_in)
        return b.conv_2d(
            x, self.weights[:, None, None, :], self.scales, self.bias, scale=0.4, zero_point=self.zero_out,
            activation=self.activation,
        )  # fmt: skip


def test_two_roundings(tmp_path: Path) -> None:
    """As TFLM rounds: LiteRT's convolution of a single pixel is the same sum and rounds twice."""
    cases, references = [], []
    for seed, (_, depth, channels, _, activation) in enumerate(SHAPES):
        rng = Rng(seed)
        zero_out = -128 if activation == "RELU" else rng.zero_point()
        twins = Twins(
            depth, rng.weights(channels, depth), rng.scales(channels), rng.bias(channels), rng.zero_point(), zero_out,
            activation,
        )  # fmt: skip
        graph = read_graph(model(twins.dense), match="tflm")
        (step,) = lower(graph, Target(Isa.DSP)).steps
        assert step.kernel == FAST
        cases.append(Case(graph, step))
        references.append(Reference(model(twins.convolution)))
    program = StepProgram(cases, "cortex-m4", tmp_path)
    for index, (case, reference) in enumerate(zip(cases, references, strict=True)):
        for (x,) in random_inputs([case.graph.tensors[case.graph.inputs[0]]], 3):
            wanted = reference.run([x.reshape(1, 1, 1, -1)])
            assert_equal(program.run(index, [x]).outputs, [wanted[0].reshape(1, -1)], str(SHAPES[index]))


def test_accumulators_beyond_the_bound_stay_portable(tmp_path: Path) -> None:
    depth = 600
    weights = np.full((2, depth), 127, np.int8)

    def build(b: Builder) -> int:
        x = b.input((1, depth), scale=0.05)
        return b.fully_connected(x, weights, 0.01, scale=300.0)

    prove_on_core([Expected(model(build), PORTABLE, "600 weights of 127")], tmp_path)


def test_scaled_accumulators_that_leave_int32_stay_portable(tmp_path: Path) -> None:
    def build(b: Builder) -> int:
        x = b.input((1, 16), scale=0.05)
        return b.fully_connected(x, Rng(4).weights(3, 16), 0.01, scale=1e-10)

    prove_on_core([Expected(model(build), PORTABLE, "a scale of 1e-10")], tmp_path)
