"""PRELU on the DSP kernel: every value and slope, any number of rows, and where no linear function is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import CASES, Draw
from tests.kernels.cases import Rng, model, sweep
from tests.kernels.on_core import Expected, assert_equal, lowered, prove_on_core
from tests.support import arithmetic_builder as add
from tests.support.step_build import Case, StepProgram
from tests.support.tflite_builder import Builder

FAST, PORTABLE = "tml_prelu_dsp", "tml_prelu"
RANDOM, SWEEP, TOGETHER = 30, 2000, 200


def sloped(rows: int, slopes: np.ndarray[tuple[int], np.dtype[np.int64]], zeros: tuple[int, int, int],
           scales: tuple[float, float, float]) -> bytes:  # fmt: skip
    def build(b: Builder) -> int:
        x = b.input((1, rows, 1, len(slopes)), scale=scales[0], zero_point=zeros[0])
        alpha = b.constant(slopes.astype(np.int8).reshape(1, 1, -1), scale=scales[1], zero_point=zeros[1])
        return add.broadcast(b, "PRELU", x, alpha, scale=scales[2], zero_point=zeros[2])

    return model(build)


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_every_value_and_slope(core: str, compiler: str, tmp_path: Path) -> None:
    """All 65,536 pairs, slopes of both signs among them; most layers have linear functions."""
    rng = Rng(5)
    made = []
    for index in range(16):
        scale, slope = rng.scales(2, 0.004, 0.1)
        zeros = rng.zero_point(), (-128, rng.zero_point())[index % 2], rng.zero_point()
        scales = scale, slope / 10, scale * rng.scales(1, 0.7, 2.0)[0]
        made.append(lowered(sloped(256, np.arange(-128, 128), zeros, scales)))
    fast = [(reference, graph, step) for reference, graph, step in made if step.kernel == FAST]
    assert len(fast) >= 8, [step.reason for _, _, step in made]
    program = StepProgram([Case(graph, step) for _, graph, step in fast], core, tmp_path, compiler=compiler)
    rows = np.broadcast_to(np.arange(-128, 128)[:, None], (256, 256)).astype(np.int8).reshape(1, 256, 1, 256)
    for index, (reference, _, _) in enumerate(fast):
        assert_equal(program.run(index, [rows]).outputs, reference.run([rows]), f"layer {index}")


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8, 11])
def test_rows_left_over(rows: int, tmp_path: Path) -> None:
    made = [sloped(rows, np.arange(n) * 5, (-7, -3, 4), (0.05, 0.002, 0.04)) for n in (1, 2, 5)]
    prove_on_core([Expected(data, FAST, f"{rows} rows") for data in made], tmp_path)


def cases(seeds: range) -> list[Expected]:
    made = [(seed, CASES["PRELU"](Draw(seed))) for seed in seeds]
    return [Expected(data, lowered(data)[2].kernel, str(seed)) for seed, data in made]


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases(core: str, compiler: str, tmp_path: Path) -> None:
    made = cases(range(RANDOM))
    assert sum(case.kernel == FAST for case in made) >= RANDOM // 4
    prove_on_core(made, tmp_path, core=core, compiler=compiler, count=1)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_on_core(cases(seeds), folder, optimise="-O2", count=1)
