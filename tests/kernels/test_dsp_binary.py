"""ADD and SUB as one linear function: every pair of operands, and where none is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder

FAST = "tml_linear_sum_dsp"


def two_inputs(
    kind: str, shape: tuple[int, ...], scales: tuple[float, float, float], zeros: tuple[int, int, int], activation: str
) -> bytes:
    def build(b: Builder) -> int:
        x = b.input(shape, scale=scales[0], zero_point=zeros[0])
        y = b.input(shape, scale=scales[1], zero_point=zeros[1])
        return b.binary(kind, x, y, scale=scales[2], zero_point=zeros[2], activation=activation)

    return model(build)


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
def test_every_pair_of_operands(kind: str, tmp_path: Path) -> None:
    """All 65,536 pairs; in most layers the linear function is exact, and then it is taken."""
    rng = Rng(1)
    made = []
    for index in range(12):
        scales = rng.scales(3, 0.01, 0.1)
        zeros = (rng.zero_point(), rng.zero_point(), rng.zero_point())
        activation = ("NONE", "RELU", "RELU6")[index % 3]
        made.append(lowered(two_inputs(kind, (1, 256, 256, 1), (scales[0], scales[1], scales[2]), zeros, activation)))
    fast = [(reference, graph, step) for reference, graph, step in made if step.kernel == FAST]
    assert len(fast) >= 8
    program = StepProgram([Case(graph, step) for _, graph, step in fast], "cortex-m4", tmp_path)
    left, right = (grid.astype(np.int8) for grid in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    inputs = [left.reshape(1, 256, 256, 1), right.reshape(1, 256, 256, 1)]
    for index, (reference, _, _) in enumerate(fast):
        assert_equal(program.run(index, inputs).outputs, reference.run(inputs), f"layer {index}")


@pytest.mark.parametrize("elements", [1, 2, 3, 4, 5, 7, 8, 33])
@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_every_size(elements: int, core: str, compiler: str, tmp_path: Path) -> None:
    made = two_inputs("ADD", (1, elements), (0.031, 0.047, 0.059), (3, -20, -128), "RELU")
    prove_on_core([Expected(made, FAST, f"{elements} elements")], tmp_path, core=core, compiler=compiler)


def test_a_tensor_added_to_itself(tmp_path: Path) -> None:
    def build(b: Builder) -> int:
        x = b.input((1, 10), scale=0.031, zero_point=7)
        return b.binary("ADD", x, x, scale=0.053, zero_point=-5)

    prove_on_core([Expected(model(build), FAST, "x + x")], tmp_path)


def test_halves_on_both_sides_of_zero_take_three_roundings(tmp_path: Path) -> None:
    """(a + b) / 2 rounds halves away from zero, which no linear function does."""
    made = two_inputs("ADD", (1, 256), (0.05, 0.05, 0.1), (0, 0, 0), "NONE")
    prove_on_core([Expected(made, "tml_sum_dsp", "halves")], tmp_path)


def test_a_broadcast_takes_three_roundings() -> None:
    def build(b: Builder) -> int:
        x, y = b.input((1, 4, 4, 3), scale=0.031), b.input((1, 1, 1, 3), scale=0.047)
        return b.binary("ADD", x, y, scale=0.059)

    assert lowered(model(build))[2].kernel == "tml_sum_dsp"
