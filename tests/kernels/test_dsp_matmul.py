"""Products of two activations, and attention, on the DSP kernels: every byte as the reference kernels have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.arithmetic_cases import CASES, Draw
from tests.kernels.cases import model, sweep
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support import arithmetic_builder as add
from tests.support.tflite_builder import Builder

KERNELS = {"BATCH_MATMUL": "tml_batch_matmul_dsp", "ATTENTION": "tml_attention_dsp"}
RANDOM, SWEEP, TOGETHER = 12, 2000, 100


def product(rows: int, depth: int, columns: int, adj_x: bool, adj_y: bool, scale: float = 0.3) -> bytes:
    def build(b: Builder) -> int:
        x = b.input((1, 2, depth, rows) if adj_x else (1, 2, rows, depth), scale=0.05, zero_point=-11)
        y = b.input((1, 2, columns, depth) if adj_y else (1, 2, depth, columns), scale=0.03, zero_point=7)
        return add.batch_matmul(b, x, y, adj_x=adj_x, adj_y=adj_y, scale=scale, zero_point=3)

    return model(build)


def random_cases(kind: str, seeds: range) -> list[Expected]:
    """Models of ``kind``, with the kernel that is chosen for each: portable C where a shape is too small."""
    made = ((seed, CASES[kind](Draw(seed))) for seed in seeds)
    return [Expected(data, lowered(data)[2].kernel, f"{kind} {seed}") for seed, data in made]


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases(kind: str, core: str, compiler: str, tmp_path: Path) -> None:
    cases = random_cases(kind, range(RANDOM))
    assert sum(case.kernel == KERNELS[kind] for case in cases) > RANDOM // 2
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, count=1)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KERNELS)
def test_sweep(kind: str, tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_core(random_cases(kind, seeds), folder, optimise="-O2", count=1)


def test_every_remainder(tmp_path: Path) -> None:
    """Rows, depths and columns that fill blocks of four, four and two, and those that do not."""
    shapes = [
        (rows, depth, columns, adj_x, adj_y)
        for rows, columns in ((5, 2), (7, 5))
        for depth in (4, 5, 6, 7)
        for adj_x, adj_y in ((False, False), (False, True), (True, False))
    ] + [(4, 1, 4, False, False), (2, 2, 3, True, False)]
    cases = [Expected(product(*shape), KERNELS["BATCH_MATMUL"], str(shape)) for shape in shapes]
    prove_on_core(cases, tmp_path, optimise="-O2", count=1)


def test_every_shift(tmp_path: Path) -> None:
    cases = [
        Expected(product(3, 8, 4, False, True, 0.0015 * 2.0**-exponent), KERNELS["BATCH_MATMUL"], f"2^{exponent}")
        for exponent in (-14, -9, -3, -2, -1, 0, 1)
    ]
    prove_on_core(cases, tmp_path)


def test_shapes_that_stay_portable() -> None:
    for shape, cause in (((3, 8, 1), "a single column"), ((3, 3, 4), "rows of 3, the kernel takes 4 to 4092")):
        step = lowered(product(*shape, False, True))[2]
        assert step.kernel == "tml_batch_matmul" and cause in step.reason
