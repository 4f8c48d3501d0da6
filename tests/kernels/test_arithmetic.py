"""Ops that compute, over random shapes, parameters and quantisations: every byte as the reference kernels have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import CASES, Draw
from tests.kernels.cases import Prove, model
from tests.kernels.on_core import Expected, prove_on_core
from tests.support import arithmetic_builder as add
from tests.support.native_kernels import prove_steps
from tests.support.tflite_builder import Builder
from tinyml.lower.ops.elementwise import table_of
from tinyml.lower.program import Isa
from tinyml.tflite.reference import Reference

RANDOM, SWEEP = 100, 2000
NEW = {
    "BATCH_MATMUL": "tml_batch_matmul",
    "TRANSPOSE_CONV": "tml_transpose_conv",
    "RESIZE_BILINEAR": "tml_resize_bilinear",
    "SQUARED_DIFFERENCE": "tml_squared_difference",
    "PRELU": "tml_prelu",
    "L2_NORMALIZATION": "tml_l2_normalise",
    "LOG_SOFTMAX": "tml_log_softmax",
    "ATTENTION": "tml_attention",
}
PORTABLE_ON_A_CORE = {kind: kernel for kind, kernel in NEW.items() if kind != "TRANSPOSE_CONV"}
"""Without what has kernels for cores without SIMD, which ``test_transpose_conv`` runs there beside the portable one."""
CURVES = ("GELU", "GELU by tanh", "EXP", "LOG", "RSQRT", "SQRT", "ABS", "DIV")


@pytest.mark.parametrize("kind", CASES)
def test_random_cases(kind: str, tmp_path: Path) -> None:
    prove_steps([CASES[kind](Draw(seed)) for seed in range(RANDOM)], tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", CASES)
def test_sweep(kind: str, tmp_path: Path) -> None:
    prove_steps([CASES[kind](Draw(seed)) for seed in range(10_000, 10_000 + SWEEP)], tmp_path)


@pytest.mark.parametrize("kind", NEW)
def test_generated_c(kind: str, prove: Prove) -> None:
    """The same with literal numbers and the sanitizers on."""
    prove([CASES[kind](Draw(seed)) for seed in range(3)], count=1)


def test_on_a_core(tmp_path: Path) -> None:
    models = [
        Expected(CASES[kind](Draw(seed)), kernel, kind)
        for kind, kernel in PORTABLE_ON_A_CORE.items()
        for seed in (101, 102)
    ]
    prove_on_core(models, tmp_path, isa=Isa.V7M, core="cortex-m3", count=1)


def curve_case(kind: str, draw: Draw) -> bytes:
    """The 256 values of an int8 through one function."""

    def build(b: Builder) -> int:
        root = kind in ("RSQRT", "SQRT")
        x = b.input((1, 256), scale=draw.scale(1e-3, 2.0), zero_point=-128 if root else draw.zero_point())
        scale, zero_point = draw.scale(1e-3, 2.0), draw.zero_point()
        if kind == "DIV":
            number = int(draw.rng.integers(1, 128)) * draw.pick(-1, 1)
            quotient = abs(number) * draw.scale(1.0, 50.0)
            divisor = b.constant(np.array([number], np.int8), scale=draw.scale())
            scale = b.values[x].scale / b.values[divisor].scale / quotient
            return add.broadcast(b, "DIV", x, divisor, scale=scale, zero_point=zero_point)
        options = {"approximate": kind.endswith("tanh")} if kind.startswith("GELU") else {}
        return add.curve(b, kind.split()[0], x, scale=scale, zero_point=zero_point, **options)

    return model(build)


def prove_curve(kind: str, seeds: range) -> None:
    values = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    for seed in seeds:
        reference = Reference(curve_case(kind, Draw(seed)))
        table = table_of(reference.graph, reference.graph.ops[0])
        (wanted,) = reference.run([values])
        assert table == wanted.ravel().tolist(), (kind, seed)


@pytest.mark.parametrize("kind", CURVES)
def test_random_curves(kind: str) -> None:
    prove_curve(kind, range(RANDOM))


@pytest.mark.sweep
@pytest.mark.parametrize("kind", CURVES)
def test_sweep_of_curves(kind: str) -> None:
    prove_curve(kind, range(10_000, 10_000 + SWEEP))


def test_generated_tables(prove: Prove) -> None:
    prove([curve_case(kind, Draw(seed)) for seed, kind in enumerate(CURVES)], count=1)
