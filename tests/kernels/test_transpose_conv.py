"""TRANSPOSE_CONV on the kernels of each instruction set, and what stays portable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import CASES, Draw
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support import arithmetic_builder as add
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa, Optimize

NO_SIMD = {"cortex-m0plus": Isa.V6M, "cortex-m3": Isa.V7M}
FAST = {
    Isa.DSP: "tml_transpose_conv_dsp", Isa.MVE: "tml_transpose_conv_mve",
    **dict.fromkeys(NO_SIMD.values(), "tml_transpose_conv_v6m"),
}  # fmt: skip
PORTABLE = "tml_transpose_conv"
RANDOM, SWEEP, BATCH = 50, 2000, 100

# Height, width, channels in, channels out, kernel, stride, padding; which instruction sets have a kernel.
ALL, NONE = frozenset(FAST), frozenset[Isa]()
SHAPES = [
    (4, 4, 10, 10, (2, 2), (2, 2), "VALID", ALL),
    (6, 5, 10, 2, (4, 4), (2, 2), "SAME", ALL),
    (5, 7, 3, 4, (3, 3), (2, 2), "SAME", ALL),
    (3, 3, 5, 3, (5, 5), (3, 3), "SAME", ALL),
    (4, 6, 4, 1, (3, 3), (1, 1), "SAME", ALL),
    (4, 6, 4, 1, (3, 3), (1, 1), "VALID", ALL),
    (2, 2, 7, 3, (1, 1), (4, 4), "SAME", ALL),
    (1, 2, 16, 5, (3, 2), (3, 2), "VALID", ALL),
    (5, 1, 6, 2, (2, 2), (2, 2), "VALID", ALL - {Isa.MVE}),
    (4, 4, 3, 2, (3, 3), (2, 2), "VALID", NONE),
]


def transposed(draw: Draw, h: int, w: int, c: int, o: int, kernel: tuple[int, int], stride: tuple[int, int],
               padding: str) -> bytes:  # fmt: skip
    b = Builder()
    x = b.input((1, h, w, c), scale=0.05, zero_point=draw.zero_point())
    weights = np.maximum(draw.bytes(o, *kernel, c), -127)
    bias = draw.rng.integers(-5000, 5000, o).astype(np.int32)
    out = add.transpose_conv(
        b, x, weights, [draw.scale(0.001, 0.02) for _ in range(o)], bias, scale=0.4, zero_point=draw.zero_point(),
        stride=stride, padding=padding, activation=draw.pick("NONE", "RELU"),
    )  # fmt: skip
    return b.build([out])


def every_shape(isa: Isa) -> list[Expected]:
    return [
        Expected(transposed(Draw(seed), *shape[:-1]), FAST[isa] if isa in shape[-1] else PORTABLE, str(shape))
        for seed, shape in enumerate(SHAPES)
    ]


def drawn(seeds: range, isa: Isa) -> list[Expected]:
    """Random cases with the kernel that is chosen for each; most of them get the fast one."""
    models = [CASES["TRANSPOSE_CONV"](Draw(seed)) for seed in seeds]
    found = [
        Expected(made, lowered(made, isa=isa)[2].kernel, str(seed)) for seed, made in zip(seeds, models, strict=True)
    ]
    assert sum(one.kernel == FAST[isa] for one in found) > len(found) / 2
    return found


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_every_shape_on_dsp(core: str, compiler: str, tmp_path: Path) -> None:
    prove_on_core(every_shape(Isa.DSP), tmp_path, core=core, compiler=compiler)


@pytest.mark.parametrize("core", NO_SIMD)
def test_every_shape_without_simd(core: str, tmp_path: Path) -> None:
    isa = NO_SIMD[core]
    for optimize in (Optimize.BALANCED, Optimize.SIZE):
        folder = tmp_path / optimize.value
        folder.mkdir()
        prove_on_core(every_shape(isa), folder, core=core, isa=isa, optimize=optimize)


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_every_shape_on_mve(compiler: str, tmp_path: Path) -> None:
    prove_on_m55(every_shape(Isa.MVE), tmp_path, compiler=compiler)


def test_random_cases_on_dsp(tmp_path: Path) -> None:
    prove_on_core(drawn(range(RANDOM), Isa.DSP), tmp_path, optimise="-O2", count=1)


def test_random_cases_without_simd(tmp_path: Path) -> None:
    prove_on_core(drawn(range(RANDOM // 2), Isa.V6M), tmp_path, core="cortex-m0plus", isa=Isa.V6M, count=1)


def test_random_cases_on_mve(tmp_path: Path) -> None:
    prove_on_m55(drawn(range(RANDOM), Isa.MVE), tmp_path, count=1)


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(10_000, 10_000 + SWEEP, BATCH))
def test_sweep(first: int, tmp_path: Path) -> None:
    for name in ("mve", "v6m"):
        (tmp_path / name).mkdir()
    prove_on_core(drawn(range(first, first + BATCH), Isa.DSP), tmp_path, optimise="-O2", count=1)
    prove_on_m55(drawn(range(first, first + BATCH), Isa.MVE), tmp_path / "mve", count=1)
    prove_on_core(
        drawn(range(first, first + BATCH), Isa.V6M), tmp_path / "v6m", core="cortex-m0plus", isa=Isa.V6M, count=1
    )
