"""ADD, SUB and MUL on the MVE kernels: every pair of operands, with and without a linear function, and fallbacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.arithmetic_cases import binary as random_binary
from tests.kernels.cases import Rng, model
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected, assert_equal, lowered
from tests.kernels.test_dsp_binary import two_inputs
from tests.support.qemu_steps import run_in_qemu
from tests.support.step_build import Case
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa

LINEAR, SUM, MUL = "tml_linear_sum_mve", "tml_sum_mve", "tml_mul_mve"
BROADCAST_SUM, BROADCAST_MUL = "tml_broadcast_sum_mve", "tml_broadcast_mul_mve"


@pytest.mark.parametrize(("kind", "compiler"), [("ADD", "gcc"), ("SUB", "zig"), ("MUL", "gcc")])
def test_every_pair_of_operands(kind: str, compiler: str, tmp_path: Path) -> None:
    """All 65,536 pairs over random scales, and over scales in simple proportions, which have no linear function."""
    rng = Rng(1)
    made = []
    for index in range(6):
        scales = rng.scales(3, 0.01, 0.1)
        zeros = (rng.zero_point(), rng.zero_point(), rng.zero_point())
        activation = ("NONE", "RELU", "RELU6")[index % 3]
        one = two_inputs(kind, (1, 256, 16, 1), (scales[0], scales[1], scales[2]), zeros, activation)
        made.append(lowered(one, isa=Isa.MVE))
    made.append(lowered(two_inputs(kind, (1, 256, 16, 1), (0.05, 0.15, 0.1), (0, 0, 0), "NONE"), isa=Isa.MVE))
    kernels = [step.kernel for _, _, step in made]
    if kind == "MUL":
        assert set(kernels) == {MUL}
    else:
        assert set(kernels) == {LINEAR, SUM}
    left, right = (grid.astype(np.int8) for grid in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    runs = [
        [left[:, c : c + 16].reshape(1, 256, 16, 1), right[:, c : c + 16].reshape(1, 256, 16, 1)]
        for c in range(0, 256, 16)
    ]
    cases = [Case(graph, step) for _, graph, step in made]
    results = run_in_qemu(cases, [runs] * len(cases), tmp_path, compiler=compiler)
    for index, ((reference, _, _), outputs) in enumerate(zip(made, results, strict=True)):
        for inputs, got in zip(runs, outputs, strict=True):
            assert_equal(got, reference.run(inputs), f"layer {index} on {kernels[index]}")


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_every_size(compiler: str, tmp_path: Path) -> None:
    """Whole vectors and every remainder, in place too."""
    cases = []
    for elements in (1, 2, 3, 5, 7, 8, 9, 15, 16, 33):
        for kind, scales, zeros, kernel in (
            ("ADD", (0.031, 0.047, 0.059), (3, -20, -128), LINEAR),
            ("ADD", (0.05, 0.15, 0.1), (3, -20, 5), SUM),
            ("MUL", (0.031, 0.047, 0.059), (3, -20, -128), MUL),
        ):
            made = two_inputs(kind, (1, elements), scales, zeros, "RELU" if kernel != SUM else "NONE")
            cases.append(Expected(made, kernel, f"{kind} of {elements} elements"))
    prove_on_m55(cases, tmp_path, compiler=compiler)


def test_a_tensor_and_itself_and_a_constant(tmp_path: Path) -> None:
    def twice(b: Builder) -> int:
        x = b.input((1, 10), scale=0.031, zero_point=7)
        return b.binary("ADD", x, x, scale=0.053, zero_point=-5)

    prove_on_m55([Expected(model(twice), LINEAR, "x + x")], tmp_path)


def broadcast(kind: str, a: tuple[int, ...], b: tuple[int, ...]) -> bytes:
    def build(m: Builder) -> int:
        x = m.input(a, scale=0.031, zero_point=7)
        y = m.input(b, scale=0.02, zero_point=-7)
        return m.binary(kind, x, y, scale=0.053, zero_point=-5)

    return model(build)


def test_an_operand_that_is_the_same_in_every_row(tmp_path: Path) -> None:
    """As in squeeze and excitation; either operand, whole vectors and remainders."""
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((1, 3, 5, 8), (1, 1, 1, 8)),
        ((1, 1, 1, 11), (1, 4, 2, 11)),
        ((1, 2, 2, 3), (3,)),
        ((1, 6, 24), (1, 1, 24)),
    ]
    prove_on_m55([Expected(broadcast("MUL", a, b), MUL, f"{a} by {b}") for a, b in pairs], tmp_path)


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_other_broadcasts(compiler: str, tmp_path: Path) -> None:
    """Over channels, over rows and over both; whole vectors and remainders, in place over either operand."""
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((1, 3, 3, 8), (1, 3, 3, 1)),
        ((1, 3, 1, 1), (1, 3, 2, 7)),
        ((2, 1, 5), (1, 3, 5)),
        ((1, 2, 3, 9), (1,)),
        ((3, 1, 6), (4, 1)),
    ]
    cases = [Expected(broadcast("MUL", a, b), BROADCAST_MUL, f"{a} by {b}") for a, b in pairs[:3]]
    cases += [Expected(broadcast(k, a, b), BROADCAST_SUM, f"{k} {a}, {b}") for k in ("ADD", "SUB") for a, b in pairs]
    prove_on_m55([*cases, Expected(broadcast("ADD", (1, 3, 3, 8), (8,)), BROADCAST_SUM, "rows")], tmp_path,
                 compiler=compiler)  # fmt: skip


def test_what_the_kernels_cannot_do_stays_portable(tmp_path: Path) -> None:
    scaled_up = two_inputs("MUL", (1, 9), (0.5, 0.5, 0.01), (1, 2, 3), "NONE")
    prove_on_m55(
        [
            Expected(broadcast("ADD", (1, 5, 4, 3), (1, 5, 1, 3)), "tml_add", "rows of three"),
            Expected(scaled_up, "tml_mul", "a scale above one"),
        ],
        tmp_path,
    )


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(10_000, 12_000, 200))
def test_sweep_of_broadcasts(first: int, tmp_path: Path) -> None:
    seeds = range(first, first + 200)
    made = [(k, seed, random_binary(k)(Draw(seed))) for k in ("ADD", "SUB", "MUL") for seed in seeds]
    cases = [Expected(data, lowered(data, isa=Isa.MVE)[2].kernel, f"{k} {seed}") for k, seed, data in made]
    prove_on_m55(cases, tmp_path, count=1)
