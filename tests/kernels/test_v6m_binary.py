"""ADD and SUB as one linear function on cores without SIMD: every pair of operands, and where none is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.kernels.test_dsp_binary import two_inputs
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa

FAST, PORTABLE = "tml_linear_sum_v6m", "tml_add"
CORES = [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)]


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_pair_of_operands(core: str, isa: Isa, kind: str, tmp_path: Path) -> None:
    """All 65,536 pairs; in most layers the linear function is exact, and then it is taken.

    A slope a little above 1/2 even rounds the halves of (a + b) / 2 away from zero on both sides.
    """
    rng = Rng(1)
    made = []
    for index in range(9):
        scales = rng.scales(3, 0.01, 0.1)
        zeros = (rng.zero_point(), rng.zero_point(), rng.zero_point())
        activation = ("NONE", "RELU", "RELU6")[index % 3]
        file = two_inputs(kind, (1, 256, 256, 1), (scales[0], scales[1], scales[2]), zeros, activation)
        made.append(lowered(file, isa=isa))
    halves = lowered(two_inputs(kind, (1, 256, 256, 1), (0.05, 0.05, 0.1), (0, 0, 0), "NONE"), isa=isa)
    assert halves[2].kernel == FAST
    made.append(halves)
    fast = [(reference, graph, step) for reference, graph, step in made if step.kernel == FAST]
    assert len(fast) >= 7
    program = StepProgram([Case(graph, step) for _, graph, step in fast], core, tmp_path)
    left, right = (grid.astype(np.int8) for grid in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    inputs = [left.reshape(1, 256, 256, 1), right.reshape(1, 256, 256, 1)]
    for index, (reference, _, _) in enumerate(fast):
        assert_equal(program.run(index, inputs).outputs, reference.run(inputs), f"layer {index}")


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize(("core", "isa"), CORES)
def test_every_size_and_a_tensor_added_to_itself(core: str, isa: Isa, compiler: str, tmp_path: Path) -> None:
    def doubled(b: Builder) -> int:
        x = b.input((1, 10), scale=0.031, zero_point=7)
        return b.binary("ADD", x, x, scale=0.053, zero_point=-5)

    cases = [Expected(model(doubled), FAST, "x + x")]
    for elements in (1, 2, 3, 4, 5, 8, 33):
        made = two_inputs("ADD", (1, elements), (0.031, 0.047, 0.059), (3, -20, -128), "RELU")
        cases.append(Expected(made, FAST, f"{elements} elements"))
    prove_on_core(cases, tmp_path, core=core, isa=isa, compiler=compiler, optimise="-O2")


def test_broadcasts_stay_portable() -> None:
    def broadcast(b: Builder) -> int:
        x, y = b.input((1, 4, 4, 3), scale=0.031), b.input((1, 1, 1, 3), scale=0.047)
        return b.binary("ADD", x, y, scale=0.059)

    assert lowered(model(broadcast), isa=Isa.V6M)[2].kernel == PORTABLE
