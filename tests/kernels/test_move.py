"""Ops that only move elements as generated C, random shapes and parameters, equal to the reference byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tests.kernels.move_cases import MOVE_CASES, Draw
from tests.support import move_builder as mb
from tests.support.host_build import Network, compile_network, prove_networks
from tests.support.tflite_builder import Builder

Cases = Callable[[Builder, Draw], list[int]]

COMPILED = 3


def model_of(cases: Cases, seeds: Iterable[int]) -> bytes:
    b = Builder()
    return b.build([output for seed in seeds for output in cases(b, Draw(seed))])


def network_of(cases: Cases, name: str) -> Network:
    """A few cases as one network: plans of many buffers that are all live at once take long."""
    return compile_network(model_of(cases, range(COMPILED)), name.lower(), passes=False)


def test_kernels(tmp_path: Path) -> None:
    """Cases of every kind, compiled into one program."""
    networks = [network_of(cases, kind) for kind, cases in MOVE_CASES.items()]
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
