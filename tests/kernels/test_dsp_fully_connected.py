"""FULLY_CONNECTED on the DSP kernel, with both roundings, and its fallbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.kernels.twins import twin_cases, wanted
from tests.support.host_build import random_inputs
from tests.support.layer_shapes import DENSE_SHAPES
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder
from tinyml.lower.dsp.fully_connected import choose_split
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Target, const_key
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

FAST, PORTABLE = "tml_fully_connected_dsp", "tml_fully_connected"
SHARED = "tml_fully_connected_shared_dsp"

# Rows, depth, channels, per channel, activation.
SHAPES = [
    *DENSE_SHAPES,
    (1, 128, 12, False, "NONE"),
    (2, 201, 6, True, "NONE"),
    (3, 300, 5, True, "RELU"),
    (2, 400, 4, False, "NONE"),
    (2, 517, 3, False, "NONE"),
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


def test_scratch_of_a_layer_that_decides_the_arena() -> None:
    """At most 128 bytes, but for speed every input is expanded once; the reason says what was done."""
    rng = Rng(5)
    for shape, scratch_bytes, direct in ((SHAPES[1], 0, 640), (SHAPES[10], 128, 64), (SHAPES[0], 128, 0)):
        made = dense(rng, *shape, 0.4)
        step = lowered(made)[2]
        assert step.scratch_bytes == scratch_bytes
        said = f"{direct} of {shape[1]} inputs expanded for every 4 channels" in step.reason
        assert said is (direct > 0)
        assert lowered(made, Optimize.SPEED)[2].scratch_bytes == 2 * shape[1]


def test_small_layers_take_scratch_that_costs_nothing() -> None:
    """A layer whose input and output leave room below the largest layer's expands all of its inputs once."""
    rng = Rng(6)

    def build(b: Builder) -> int:
        x = b.input((1, 640), scale=0.05)
        hidden = b.fully_connected(x, rng.weights(128, 640), 0.01)
        return b.fully_connected(hidden, rng.weights(8, 128), 0.01)

    first, second = lower(read_graph(model(build)), Target(Isa.DSP)).steps
    assert first.scratch_bytes == 0
    assert second.scratch_bytes == 256


@pytest.mark.parametrize("optimize", list(Optimize))
@pytest.mark.parametrize("cache_bytes", [None, 1024])
def test_the_parts_cover_the_inputs(optimize: Optimize, cache_bytes: int | None) -> None:
    for depth in range(1, 700):
        for scratch_bytes in (0, 128, 1 << 20):
            split = choose_split(depth, scratch_bytes, Target(Isa.DSP, optimize, cache_bytes))
            kept = -(-depth // 8) * 8 - split.direct
            assert split.direct <= depth and split.direct % 8 == 0
            assert 2 * kept <= max(scratch_bytes, 16 if depth % 8 else 0)
            for inputs, unroll in ((split.direct, split.direct_unroll), (kept, split.unroll)):
                assert unroll % 8 == 0
                assert inputs == 0 if unroll == 0 else inputs % unroll == 0


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_layers_that_share_their_weights_have_them_in_flash_once(compiler: str, tmp_path: Path) -> None:
    """Other zero points, biases and scales, as the steps of an unrolled recurrence have them: one array of words."""
    rng = Rng(7)
    cases, proofs = [], []
    for depth, channels in ((24, 8), (37, 6), (130, 9)):

        def build(b: Builder, depth: int = depth, channels: int = channels) -> list[int]:
            weights = b.constant(rng.weights(channels, depth), scale=0.01)
            outputs = []
            for scale, zero_point in ((0.4, 3), (0.3, -20), (0.7, 0)):
                x = b.input((1, depth), scale=0.05, zero_point=zero_point)
                bias = b.constant(rng.bias(channels), scale=0.05 * 0.01)
                y = b.tensor((1, channels), scale=scale, zero_point=rng.zero_point())
                outputs.append(b.op("FULLY_CONNECTED", [x, weights, bias], [y], "FullyConnectedOptions"))
            return outputs

        reference = Reference(model(build))
        program = lower(reference.graph, Target(Isa.DSP))
        assert {step.kernel for step in program.steps} == {SHARED}
        words = {const_key(step.consts[0]) for step in program.steps}
        assert len(words) == 1 and len({const_key(step.consts[1]) for step in program.steps}) == 3
        for index, step in enumerate(program.steps):
            cases.append(Case(reference.graph, step))
            proofs.append((reference, index))
    compiled = StepProgram(cases, "cortex-m4", tmp_path, compiler=compiler)
    for number, (case, (reference, index)) in enumerate(zip(cases, proofs, strict=True)):
        for inputs in random_inputs([case.graph.tensors[t] for t in case.graph.inputs], 3):
            wanted_output = reference.run(inputs)[index]
            assert_equal(compiled.run(number, [inputs[index]]).outputs, [wanted_output], f"case {number}")


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


def test_accumulators_beyond_the_bound_take_the_kernel_of_armv7m(tmp_path: Path) -> None:
    depth = 602
    weights = np.full((2, depth), 127, np.int8)

    def build(b: Builder) -> int:
        x = b.input((1, depth), scale=0.05)
        return b.fully_connected(x, weights, 0.01, scale=300.0)

    prove_on_core([Expected(model(build), "tml_fully_connected_v6m", "602 weights of 127")], tmp_path)


def test_scaled_accumulators_that_leave_int32_stay_portable(tmp_path: Path) -> None:
    def build(b: Builder) -> int:
        x = b.input((1, 16), scale=0.05)
        return b.fully_connected(x, Rng(4).weights(3, 16), 0.01, scale=1e-10)

    prove_on_core([Expected(model(build), PORTABLE, "a scale of 1e-10")], tmp_path)
