"""MAXIMUM and MINIMUM on the DSP kernels: all pairs, every remainder, in place too, and what stays portable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import model
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.support import logic_builder as lb
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder

KINDS = ("MAXIMUM", "MINIMUM")


def of_two(kind: str, shape: tuple[int, ...], other: tuple[int, ...] | None = None) -> bytes:
    def build(b: Builder) -> int:
        return lb.of_two(b, kind, *(b.input(s, scale=0.1, zero_point=5) for s in (shape, other or shape)))

    return model(build)


def test_every_pair(tmp_path: Path) -> None:
    grid = [values.astype(np.int8) for values in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))]
    made = [lowered(of_two(kind, (256, 256))) for kind in KINDS]
    program = StepProgram([Case(graph, step) for _, graph, step in made], "cortex-m4", tmp_path)
    for index, (reference, _, _) in enumerate(made):
        assert_equal(program.run(index, grid).outputs, reference.run(grid), KINDS[index])


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_every_size(core: str, compiler: str, tmp_path: Path) -> None:
    cases = [
        Expected(of_two(kind, (1, n)), f"tml_{kind.lower()}_dsp", f"{kind} of {n}")
        for kind in KINDS
        for n in range(1, 10)
    ]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler)


def test_a_broadcast_stays_portable() -> None:
    assert lowered(of_two("MAXIMUM", (1, 4, 3), (3,)))[2].kernel == "tml_maximum_int8"
