"""MUL, ADD and SUB of any broadcast on the DSP kernels: every byte as the reference kernels have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import CASES, Draw, binary
from tests.kernels.cases import Rng, model, sweep
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder
from tinyml.lower.dsp.requant import Form
from tinyml.lower.program import Int

KERNELS = {"MUL": "tml_mul_dsp", "ADD": "tml_sum_dsp", "SUB": "tml_sum_dsp"}
RANDOM, SWEEP, TOGETHER = 12, 2000, 200


def cases(seeds: range) -> list[Expected]:
    """Models of all three, with the kernel that is chosen for each: one linear function where there is one."""
    made = [(kind, seed, (CASES.get(kind) or binary(kind))(Draw(seed))) for kind in KERNELS for seed in seeds]
    return [Expected(data, lowered(data)[2].kernel, f"{kind} {seed}") for kind, seed, data in made]


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases(core: str, compiler: str, tmp_path: Path) -> None:
    made = cases(range(RANDOM))
    assert {case.kernel for case in made} >= set(KERNELS.values())
    prove_on_core(made, tmp_path, core=core, compiler=compiler, count=1)


def product(right: int, zeros: tuple[int, int, int], activation: str, seed: int) -> bytes:
    """256 rows times a row of all values, scaled by between 2^-right and half of that."""

    def build(b: Builder) -> int:
        x = b.input((1, 256, 1, 256), scale=0.05, zero_point=zeros[0])
        y = b.constant(np.arange(-128, 128).astype(np.int8), scale=0.02, zero_point=zeros[1])
        scale = 0.05 * 0.02 / (2.0**-right * Rng(seed).scales(1, 0.51, 0.99)[0])
        return b.binary("MUL", x, y, scale=scale, zero_point=zeros[2], activation=activation)

    return model(build)


SHIFTS = (-13, -12, -11, -5, -1, 0, 1, 2, 3, 6, 9, 14, 20, 21, 24)


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_every_product(core: str, compiler: str, tmp_path: Path) -> None:
    """All 65,536 pairs of factors, at every form of rounding."""
    rng = Rng(3)
    made, forms = [], set()
    for index, right in enumerate(SHIFTS):
        zeros = (rng.zero_point(), (-128, rng.zero_point())[index % 2], (-128, rng.zero_point())[index % 3 > 0])
        made.append(lowered(product(right, zeros, ("NONE", "RELU")[index % 2], index)))
        forms |= {arg.value for arg in made[-1][2].args if isinstance(arg, Int) and arg.name == "rounding"}
    assert forms == {Form.DOUBLE_FAST, Form.DOUBLE_ANY, Form.DOUBLE_TWICE}
    program = StepProgram([Case(graph, step) for _, graph, step in made], core, tmp_path, compiler=compiler)
    rows = np.broadcast_to(np.arange(-128, 128)[:, None], (256, 256)).astype(np.int8).reshape(1, 256, 1, 256)
    for index, (reference, _, _) in enumerate(made):
        assert_equal(program.run(index, [rows]).outputs, reference.run([rows]), f"2^-{SHIFTS[index]}")


ROWS = (
    (1, 7),
    (2, 5),
    (3, 4),
    (4, 1),
    (5, 3),
    (63, 2),
    (64, 3),
    (65, 2),
    (256, 2),
    (257, 3),
    (260, 2),
    (294, 2),
    (320, 1),
    (384, 2),
)


@pytest.mark.parametrize("row_first", [False, True])
def test_rows_times_a_row(row_first: bool, tmp_path: Path) -> None:
    """Numbers of rows around those that go together, in place too."""

    def case(rows: int, channels: int) -> bytes:
        def build(b: Builder) -> int:
            shapes = ((1, rows, 1, channels), (1, 1, 1, channels))
            x, y = (b.input(shape, scale=0.05, zero_point=-7) for shape in (shapes[::-1] if row_first else shapes))
            return b.binary("MUL", x, y, scale=0.4, zero_point=3)

        return model(build)

    made = [Expected(case(*shape), "tml_mul_dsp", str(shape)) for shape in ROWS]
    prove_on_core(made, tmp_path, count=1)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_core(cases(seeds), folder, optimise="-O2", count=1)
