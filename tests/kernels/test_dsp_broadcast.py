"""MUL, ADD and SUB of any broadcast on the DSP kernels: every byte as the reference kernels have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.arithmetic_cases import CASES, Draw, binary
from tests.kernels.cases import sweep
from tests.kernels.on_core import Expected, lowered, prove_on_core

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


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_core(cases(seeds), folder, optimise="-O2", count=1)
