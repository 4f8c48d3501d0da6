"""The fused LSTM, over several runs in turn: every byte as LiteRT's reference kernels have it, states kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import model
from tests.kernels.on_core import assert_equal
from tests.kernels.test_state import got, in_turn
from tests.support.host_build import compile_network, random_inputs
from tests.support.lstm_builder import lstm
from tests.support.native_kernels import NativeKernels
from tests.support.qemu_steps import run_in_qemu
from tests.support.step_build import GUARD, Case, StepProgram
from tests.support.tflite_builder import Builder
from tinyml.errors import UnsupportedError
from tinyml.graph.ops import VariableAttrs
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.tflite.read import read_graph

RANDOM, SWEEP = 100, 2000
ON_CORE, TOGETHER = 5, 100


def case(draw: Draw) -> bytes:
    """One to six steps, either layout, the cell clipped or not."""

    def build(b: Builder) -> int:
        steps, inputs, by_time = draw.size(6), draw.size(12), draw.flag(0.3)
        shape = (steps, 1, inputs) if by_time else (1, steps, inputs)
        x = b.input(shape, scale=draw.scale(0.005, 0.2), zero_point=draw.zero_point())
        return lstm(b, x, draw.size(9), draw, time_major=by_time, cell_clip=draw.pick(0.0, 0.0, 0.7))

    return model(build)


def prove_in_turn(seeds: range, folder: Path) -> None:
    """Three runs of each network, what one leaves in its states going into the next."""
    native = NativeKernels(folder)
    for seed in seeds:
        data = case(Draw(seed))
        graph = read_graph(data)
        *readings, step = lower(graph, Target(Isa.PORTABLE)).steps
        first = [np.frombuffer(cast(VariableAttrs, graph.ops[i].attrs).initial, np.uint8) for i in range(len(readings))]
        before: dict[int, Any] = {1: first[0], 2: first[1]}
        inputs = random_inputs([graph.tensors[t] for t in graph.inputs], 3, seed)[2:]
        for arrays, wanted in zip(inputs, in_turn(data, inputs), strict=True):
            states = [before[1].view(np.int8), before[2].view(np.int16)]
            y, *after = native.run(graph, step, [*arrays, *states], before)
            assert y.tobytes() == wanted, (seed, y.ravel()[:8], np.frombuffer(wanted, np.int8)[:8])
            before = {1: after[0].copy(), 2: after[1].copy()}


def test_random_cases(tmp_path: Path) -> None:
    prove_in_turn(range(RANDOM), tmp_path)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    prove_in_turn(range(10_000, 10_000 + SWEEP), tmp_path)


def on_cores(isa: Isa, kernel: str, seeds: range, folder: Path) -> tuple[list[Case], list[Any], list[Any]]:
    """The steps for ``isa`` with inputs, and what portable C makes of them with states as memory has them before."""
    native, cases, inputs, wanted = NativeKernels(folder), [], [], []
    for seed in seeds:
        graph = read_graph(case(Draw(seed)))
        step, plain = (lower(graph, Target(which)).steps[-1] for which in (isa, Isa.PORTABLE))
        assert step.kernel == kernel
        sizes = {i: graph.tensor(step.outputs[i]).size_bytes for i in (1, 2)}
        before = {i: np.full(size, GUARD, np.uint8) for i, size in sizes.items()}
        arrays = random_inputs([graph.tensors[t] for t in step.inputs], 1, seed)[-1]
        cases.append(Case(graph, step))
        inputs.append([arrays])
        wanted.append(native.run(graph, plain, arrays, before))
    return cases, inputs, wanted


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases_on_the_dsp_extension(core: str, compiler: str, tmp_path: Path) -> None:
    cases, inputs, wanted = on_cores(Isa.DSP, "tml_lstm_dsp", range(ON_CORE), tmp_path)
    program = StepProgram(cases, core, tmp_path, compiler=compiler)
    for index, ((arrays,), expected) in enumerate(zip(inputs, wanted, strict=True)):
        assert_equal(program.run(index, arrays).outputs, expected, f"LSTM {index}")


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_random_cases_on_mve(compiler: str, tmp_path: Path) -> None:
    cases, inputs, wanted = on_cores(Isa.MVE, "tml_lstm_mve", range(ON_CORE), tmp_path)
    results = run_in_qemu(cases, inputs, tmp_path, compiler=compiler)
    for index, ((outputs,), expected) in enumerate(zip(results, wanted, strict=True)):
        assert_equal(outputs, expected, f"LSTM {index}")


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(10_000, 10_000 + SWEEP, TOGETHER))
def test_sweep_on_the_dsp_extension(first: int, tmp_path: Path) -> None:
    cases, inputs, wanted = on_cores(Isa.DSP, "tml_lstm_dsp", range(first, first + TOGETHER), tmp_path)
    program = StepProgram(cases, "cortex-m4", tmp_path)
    for index, ((arrays,), expected) in enumerate(zip(inputs, wanted, strict=True)):
        assert_equal(program.run(index, arrays).outputs, expected, f"LSTM {first + index}")


@pytest.mark.parametrize("passes", [False, True])
def test_generated_c_keeps_its_states(passes: bool, tmp_path: Path) -> None:
    data = case(Draw(3))
    network = compile_network(data, "net", passes=passes)
    inputs = random_inputs(network.input_tensors, 4)
    assert got(network, inputs, tmp_path) == in_turn(data, inputs)


def test_projections_and_coupled_gates_are_refused() -> None:
    for position in (1, 16):

        def build(b: Builder, position: int = position) -> int:
            x = b.input((1, 3, 4))
            y = lstm(b, x, 5, Draw(1))
            operands = b._graph.operators[-1].inputs
            operands[position] = -1 if operands[position] >= 0 else operands[2]
            return y

        with pytest.raises(UnsupportedError, match="coupled gates, peepholes, projections"):
            read_graph(model(build))
