"""FULLY_CONNECTED on the kernel for cores without SIMD: bytes and packed words, both roundings, and its fallbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.kernels.test_dsp_fully_connected import SHAPES, dense
from tests.kernels.twins import twin_cases, wanted
from tests.support.host_build import random_inputs
from tests.support.step_build import StepProgram
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa, Optimize
from tinyml.lower.v6m.fully_connected import pack_bytes, pack_words

FAST, PORTABLE = "tml_fully_connected_v6m", "tml_fully_connected"
CORES = [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)]
MORE_SHAPES = [(1, 600, 7, True, "NONE"), (2, 343, 12, False, "RELU"), (1, 3, 6, True, "NONE")]


@pytest.mark.parametrize(
    ("compiler", "optimize"), [("gcc", Optimize.BALANCED), ("gcc", Optimize.SPEED), ("zig", Optimize.SPEED)]
)
@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_shape(core: str, isa: Isa, compiler: str, optimize: Optimize, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(dense(rng, *shape, 0.4), FAST, str(shape)) for shape in [*SHAPES, *MORE_SHAPES]]
    prove_on_core(cases, tmp_path, core=core, isa=isa, compiler=compiler, optimise="-O2", optimize=optimize)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_shift(core: str, isa: Isa, tmp_path: Path) -> None:
    rng = Rng(2)
    cases = [
        Expected(dense(rng, 1, 12, 6, True, "NONE", 0.05 * 0.01 * 2.0**-exponent), FAST, f"about 2^{exponent}")
        for exponent in (-40, -18, -12, -9, -6, -5, -4, -3, -2, -1, 0, 1, 3)
    ]
    prove_on_core(cases, tmp_path, core=core, isa=isa, count=6)


@pytest.mark.parametrize(("core", "isa"), CORES)
def test_two_roundings(core: str, isa: Isa, tmp_path: Path) -> None:
    made = twin_cases(SHAPES, isa, FAST)
    program = StepProgram([case for case, _ in made], core, tmp_path)
    for index, (case, reference) in enumerate(made):
        for (x,) in random_inputs([case.graph.tensors[case.graph.inputs[0]]], 3):
            assert_equal(program.run(index, [x]).outputs, wanted(reference, x), str(SHAPES[index]))


@pytest.mark.parametrize("isa", [Isa.V6M, Isa.V7M])
def test_scaled_accumulators_that_leave_int32_stay_portable(isa: Isa) -> None:
    def build(b: Builder) -> int:
        x = b.input((1, 16), scale=0.05)
        return b.fully_connected(x, Rng(4).weights(3, 16), 0.01, scale=1e-10)

    assert lowered(model(build), isa=isa)[2].kernel == PORTABLE


def test_words_cost_flash_and_scratch_only_for_speed() -> None:
    made = dense(Rng(5), 1, 64, 12, True, "NONE", 0.4)
    sizes = {goal: lowered(made, goal, isa=Isa.V6M)[2] for goal in Optimize}
    assert sizes[Optimize.SPEED].consts[0].size_bytes == 64 * 12 * 8 // 3
    assert sizes[Optimize.BALANCED].consts[0].size_bytes == sizes[Optimize.SIZE].consts[0].size_bytes == 64 * 12
    assert sizes[Optimize.BALANCED].scratch_bytes == 0


def test_packing_holds_every_weight() -> None:
    weights = np.array([[-128, 127, 0], [1, -1, 5], [127, -128, 9], [3, 4, 5]], np.int64)
    padded = np.zeros((6, 3), np.int64)
    padded[:4] = weights
    assert np.array_equal(pack_bytes(weights, Isa.V7M).data[0], padded.T)
    assert np.array_equal(pack_bytes(weights, Isa.V6M).data[0].astype(int) - 128, padded.T)
    words = pack_words(weights).data[0].astype(np.int64)
    assert np.array_equal(words[:, 0], (padded[0] + padded[2] * 2**21) % 2**32)
    assert np.array_equal(words[:, 3], (padded[4] + padded[5] * 2**10) % 2**32)
