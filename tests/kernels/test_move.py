"""Ops that only move elements, random shapes and parameters, equal to the reference kernels byte by byte.

Many cases are one model with an input and outputs for each. All of them prove that the attributes say what moves where;
one kernel runs what they say, so that fewer cases are compiled, but in the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.move_cases import MOVE_CASES, Draw
from tests.support import move_builder as mb
from tests.support.host_build import Network, compile_network, prove_networks, random_inputs
from tests.support.tflite_builder import Builder
from tinyml.graph.ops.move import moved
from tinyml.tflite.reference import Reference

Cases = Callable[[Builder, Draw], list[int]]

IN_CI, COMPILED, IN_SWEEP, AT_ONCE = 100, 6, 2000, 3


def model_of(cases: Cases, seeds: Iterable[int]) -> bytes:
    b = Builder()
    return b.build([output for seed in seeds for output in cases(b, Draw(seed))])


def networks_of(cases: Cases, seeds: range, name: str) -> list[Network]:
    """A few cases a network: plans of many buffers that are all live at once take long."""
    batches = [range(start, start + AT_ONCE) for start in range(seeds.start, seeds.stop, AT_ONCE)]
    names = [f"{name.lower()}_{batch.start}" for batch in batches]
    return [compile_network(model_of(cases, b), n, passes=False) for b, n in zip(batches, names, strict=True)]


@pytest.mark.parametrize("kind", MOVE_CASES)
def test_positions(kind: str) -> None:
    """What the attributes say is moved where, for all cases at once."""
    reference = Reference(model_of(MOVE_CASES[kind], range(IN_CI)))
    graph = reference.graph
    inputs = dict(zip(graph.inputs, random_inputs([graph.tensors[i] for i in graph.inputs], 1)[-1], strict=True))
    wanted = dict(zip(graph.outputs, reference.run(list(inputs.values())), strict=True))
    for op in graph.ops:
        got = inputs[op.inputs[0]].reshape(-1)[moved(op.attrs).flat()]
        assert np.array_equal(got, wanted[op.outputs[0]].reshape(-1)), (op.name, op.attrs)


def test_kernels(tmp_path: Path) -> None:
    """Cases of every kind, compiled into one program."""
    networks = [network for kind, cases in MOVE_CASES.items() for network in networks_of(cases, range(COMPILED), kind)]
    kernels = {step.kernel for network in networks for step in network.program.steps}
    assert kernels == {"tml_move", "tml_move_tables"}
    prove_networks(networks, tmp_path, 1, optimise="-O0")


def test_gather_of_rows_known_at_run_time(tmp_path: Path) -> None:
    """Of a constant table, as embeddings are, and of a tensor; positions wrap by a remainder that the test makes."""
    models = []
    for seed in range(12):
        b, d = Builder(), Draw(seed)
        shape = d.shape(d.number(1, 4))
        axis = d.number(0, len(shape) - 1)
        table = b.constant(d.rng.integers(-128, 128, shape).astype(np.int8), scale=0.1)
        x = table if d.chance() else b.input(shape, scale=0.1)
        indices = b.input(d.shape(d.number(1, 2)), scale=None, dtype="int32")
        models.append(b.build([mb.gather(b, x, indices, axis)]))
    networks = [compile_network(model, f"gather{i}", passes=False) for i, model in enumerate(models)]
    assert {network.program.steps[0].kernel for network in networks} == {"tml_gather"}
    prove_networks(networks, tmp_path, 2, optimise="-O0")


def test_packs(tmp_path: Path) -> None:
    b, d = Builder(), Draw(0)
    outputs = []
    for _ in range(10):
        shape, count = d.shape(d.number(0, 3)), d.number(1, 4)
        zero_point = d.number(-128, 127)
        parts = [b.input(shape, scale=0.1, zero_point=zero_point) for _ in range(count)]
        outputs.append(mb.pack(b, parts, d.number(0, len(shape))))
    prove_networks([compile_network(b.build(outputs), "packs", passes=False)], tmp_path, 1, optimise="-O0")


@pytest.mark.sweep
@pytest.mark.parametrize("kind", MOVE_CASES)
def test_sweep(kind: str, tmp_path: Path) -> None:
    for start in range(IN_CI, IN_CI + IN_SWEEP, 100):
        folder = tmp_path / str(start)
        folder.mkdir()
        prove_networks(networks_of(MOVE_CASES[kind], range(start, start + 100), kind), folder, 1, optimise="-O0")
