"""Products of two activations, attention and norms on the MVE kernels: every byte as the reference kernels have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernels.arithmetic_cases import CASES, Draw
from tests.kernels.cases import sweep
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected, lowered
from tests.kernels.test_layer_norm import case as norm
from tinyml.lower.program import Isa

KERNELS: dict[str, str] = {
    "BATCH_MATMUL": "tml_batch_matmul_mve",
    "ATTENTION": "tml_attention_mve",
    "norm": "tml_layer_norm_mve",
}
MAKE: dict[str, Callable[[Draw], bytes]] = {**CASES, "norm": norm}
RANDOM, SWEEP, TOGETHER = 20, 2000, 100


def cases(kind: str, seeds: range) -> list[Expected]:
    """Models of ``kind``, with the kernel that is chosen for each: portable C where the vectors do not fit."""
    made = ((seed, MAKE[kind](Draw(seed))) for seed in seeds)
    return [Expected(data, lowered(data, isa=Isa.MVE)[2].kernel, f"{kind} {seed}") for seed, data in made]


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_random_cases(kind: str, compiler: str, tmp_path: Path) -> None:
    made = cases(kind, range(RANDOM if compiler == "gcc" else RANDOM // 2))
    assert sum(case.kernel == KERNELS[kind] for case in made) > len(made) // 3
    prove_on_m55(made, tmp_path, compiler=compiler, count=1)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KERNELS)
def test_sweep(kind: str, tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_m55(cases(kind, seeds), folder, count=1)
