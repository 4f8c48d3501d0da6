"""FULLY_CONNECTED on the DSP kernel, with both roundings, and its fallbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, assert_equal, prove_on_core
from tests.kernels.twins import twin_cases, wanted
from tests.support.host_build import random_inputs
from tests.support.step_build import StepProgram
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa, Optimize

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


def test_two_roundings(tmp_path: Path) -> None:
    made = twin_cases(SHAPES, Isa.DSP, FAST)
    program = StepProgram([case for case, _ in made], "cortex-m4", tmp_path)
    for index, (case, reference) in enumerate(made):
        for (x,) in random_inputs([case.graph.tensors[case.graph.inputs[0]]], 3):
            assert_equal(program.run(index, [x]).outputs, wanted(reference, x), str(SHAPES[index]))


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
