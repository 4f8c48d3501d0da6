"""Ops that move single bytes on the DSP kernels: every size around a turn, and every op on a core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import model, sweep
from tests.kernels.move_cases import MOVE_CASES
from tests.kernels.on_core import Expected, prove_on_core
from tests.kernels.test_move import model_of
from tests.support import move_builder as mb
from tests.support.core_networks import CoreProgram
from tests.support.host_build import (
    Network,
    compile_network,
    first_difference,
    input_bytes,
    lower_model,
    plan_network,
    random_inputs,
)
from tests.support.tflite_builder import Builder
from tinyml.lower.in_place_parts import joined, write_in_place
from tinyml.lower.program import Int, Isa
from tinyml.tflite.reference import Reference

MOVE, TABLES = "tml_move_dsp", "tml_move_tables_dsp"
SWEEP, TOGETHER = 2000, 40


def transposed(shape: tuple[int, ...], order: tuple[int, ...]) -> bytes:
    return model(lambda b: mb.transpose(b, b.input(shape, scale=0.1), order))


def gathered(pixels: int, channels: int) -> bytes:
    order = np.random.default_rng(channels).permutation(channels).astype(np.int32)

    def build(b: Builder) -> int:
        return mb.gather(b, b.input((1, pixels, 1, channels), scale=0.1), mb.numbers(b, order), 3)

    return model(build)


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_every_size(core: str, compiler: str, tmp_path: Path) -> None:
    columns = [Expected(transposed((1, n, 7), (0, 2, 1)), MOVE, f"{n} columns") for n in (2, 3, 5, 8, 9, 16, 17, 37)]
    rows = [Expected(transposed((1, 3, n, 4, 5), (0, 1, 2, 4, 3)), MOVE, f"{n} rows") for n in (2, 5, 9)]
    spread = [Expected(transposed((3, 40, 130), (2, 0, 1)), MOVE, "far apart")]
    tables = [Expected(gathered(n, 11), TABLES, f"{n} pixels") for n in (1, 3, 4, 5, 8, 11)]
    prove_on_core(columns + rows + spread + tables, tmp_path, core=core, compiler=compiler, count=1)


def beside(first: int, second: int) -> bytes:
    """Two transposed images beside one another, which are written where the whole lies."""

    def build(b: Builder) -> int:
        parts = [mb.transpose(b, b.input((1, n, 5, 4), scale=0.1), (0, 2, 3, 1)) for n in (first, second)]
        return b.elementwise("LOGISTIC", b.concatenation(parts, 3), scale=1 / 256, zero_point=-128)

    return model(build)


def test_rows_with_gaps(tmp_path: Path) -> None:
    programs = []
    for first, second in ((3, 6), (16, 21)):
        made = beside(first, second)
        program = lower_model(made, isa=Isa.DSP)
        programs.append((made, write_in_place(program, joined(program))))
    networks = [plan_network(made, program, f"net{i}") for i, (made, program) in enumerate(programs)]
    steps = [step for network in networks for step in network.program.steps[:2]]
    gaps = [{arg.name: arg.value for arg in step.args if isinstance(arg, Int)} for step in steps]
    assert all(numbers["out_pitch"] > numbers["out_run"] for numbers in gaps)
    prove_networks_on_core(networks, tmp_path)


def prove_networks_on_core(networks: list[Network], folder: Path) -> None:
    program = CoreProgram(networks, "cortex-m4", folder)
    for network in networks:
        reference = Reference(network.model)
        for arrays in random_inputs(network.input_tensors, 1):
            assert first_difference(network, arrays, program.run(network, input_bytes(arrays)), reference) is None


def prove_every_op(seeds: range, folder: Path) -> set[str]:
    """All ops that move, each of ``seeds`` in one network; the kernels that they take."""
    models = [model_of(cases, [seed]) for cases in MOVE_CASES.values() for seed in seeds]
    networks = [compile_network(data, f"net{i}", isa=Isa.DSP, passes=False) for i, data in enumerate(models)]
    prove_networks_on_core(networks, folder)
    return {step.kernel for network in networks for step in network.program.steps}


def test_every_op(tmp_path: Path) -> None:
    assert prove_every_op(range(5), tmp_path) >= {MOVE, TABLES}


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        prove_every_op(seeds, folder)
