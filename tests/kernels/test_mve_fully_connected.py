"""FULLY_CONNECTED on the MVE kernel, with both roundings, and its fallbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected, assert_equal
from tests.kernels.test_dsp_fully_connected import dense
from tests.kernels.twins import twin_cases, wanted
from tests.support.host_build import random_inputs
from tests.support.layer_shapes import DENSE_SHAPES
from tests.support.qemu_steps import run_in_qemu
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa

FAST, PORTABLE = "tml_fully_connected_mve", "tml_fully_connected"

# Rows, depth, channels, per channel, activation.
SHAPES = [
    *DENSE_SHAPES,
    (2, 128, 9, True, "NONE"),
    (1, 144, 8, True, "NONE"),
    (3, 16, 23, False, "NONE"),
]


@pytest.mark.parametrize(("compiler", "optimise"), [("gcc", "-O2"), ("zig", "-O2")])
def test_every_shape(compiler: str, optimise: str, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(dense(rng, *shape, 0.4), FAST, str(shape)) for shape in SHAPES]
    prove_on_m55(cases, tmp_path, compiler=compiler, optimise=optimise)


def test_two_roundings(tmp_path: Path) -> None:
    made = twin_cases(SHAPES, Isa.MVE, FAST)
    inputs = [random_inputs([case.graph.tensors[case.graph.inputs[0]]], 3) for case, _ in made]
    results = run_in_qemu([case for case, _ in made], inputs, tmp_path)
    for (_, reference), runs, outputs, shape in zip(made, inputs, results, SHAPES, strict=True):
        for (x,), got in zip(runs, outputs, strict=True):
            assert_equal(got, wanted(reference, x), str(shape))


def test_every_shift(tmp_path: Path) -> None:
    rng = Rng(2)
    cases = []
    for exponent in (-40, -18, -12, -9, -6, 4, 6):
        made = dense(rng, 1, 12, 6, False, "NONE", 0.05 * 0.01 * 2.0**-exponent)
        cases.append(Expected(made, FAST if exponent < 0 else PORTABLE, f"about 2^{exponent}"))
    prove_on_m55(cases, tmp_path)


def test_scaled_accumulators_that_leave_int32_stay_portable(tmp_path: Path) -> None:
    def build(b: Builder) -> int:
        x = b.input((1, 16), scale=0.05)
        return b.fully_connected(x, Rng(4).weights(3, 16), 0.01, scale=1e-10)

    prove_on_m55([Expected(model(build), PORTABLE, "a scale of 1e-10")], tmp_path)


def test_many_large_weights(tmp_path: Path) -> None:
    """Accumulators far beyond what packing in twos would hold."""
    weights = np.full((2, 600), 127, np.int8)

    def build(b: Builder) -> int:
        x = b.input((1, 600), scale=0.05)
        return b.fully_connected(x, weights, 0.01, scale=300.0)

    prove_on_m55([Expected(model(build), FAST, "600 weights of 127")], tmp_path)
