"""Ops that compare, choose and convert as generated C, random shapes and types, equal to the reference kernels."""

from __future__ import annotations

from pathlib import Path

from tests.kernels.logic_cases import CASES
from tests.kernels.move_cases import Draw
from tests.support.host_build import Network, compile_network, prove_networks
from tests.support.tflite_builder import Builder

COMPILED = 2


def network_of(kind: str) -> Network:
    """A few cases as one network: plans of many buffers that are all live at once take long."""
    b = Builder()
    made = [CASES[kind](b, Draw(seed)) for seed in range(COMPILED)]
    outputs = [output for one in made for output in ([one] if isinstance(one, int) else one)]
    return compile_network(b.build(outputs), kind.lower(), passes=False)


def test_choices(tmp_path: Path) -> None:
    """Cases of every kind, compiled into one program."""
    prove_networks([network_of(kind) for kind in CASES], tmp_path, 2, optimise="-O0", sanitize=False)
