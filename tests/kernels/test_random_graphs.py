"""Random Keras graphs, converted, compiled and run: every tensor equal to the reference kernels'.

Each batch goes into one program for the host, with the sanitizers on and the portable kernels, and into one for
Cortex-M4 in Unicorn, with the kernels that are chosen for it. ``TINYML_SWEEP_COUNT`` sets the size of the sweep.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.core_networks import CoreProgram
from tests.support.host_build import (
    Network,
    compile_network,
    first_difference,
    input_bytes,
    prove_networks,
    random_inputs,
)
from tests.support.random_graphs import Drawn, random_tflite
from tests.support.shared import require_module
from tinyml.lower.program import Isa, Optimize
from tinyml.tflite.reference import Reference

BATCH = 25
GRAPHS = 300
SWEEP_GRAPHS = int(os.environ.get("TINYML_SWEEP_COUNT", "5000"))
RANDOM_INPUTS = 2

pytestmark = [pytest.mark.train, pytest.mark.slow]


def _batches(first: int, count: int) -> list[range]:
    return [range(start, min(start + BATCH, first + count)) for start in range(first, first + count, BATCH)]


def _name(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


def _prove(seeds: range, folder: Path) -> None:
    require_module("tensorflow")
    drawn = {seed: random_tflite(seed) for seed in seeds}
    _prove_on_host(drawn, folder)
    _prove_on_m4(drawn, folder)
    assert sum(d.attempts for d in drawn.values()) <= 2 * len(drawn), "the generator's networks are mostly refused"


def _prove_on_host(drawn: dict[int, Drawn], folder: Path) -> None:
    host = folder / "host"
    host.mkdir()
    networks = [compile_network(one.model, f"net{seed}") for seed, one in drawn.items()]
    prove_networks(networks, host, RANDOM_INPUTS, optimise="-O0")


def _prove_on_m4(drawn: dict[int, Drawn], folder: Path) -> None:
    core = folder / "core"
    core.mkdir()
    goals = list(Optimize)
    networks = [
        compile_network(one.model, f"net{seed}", isa=Isa.DSP, optimize=goals[seed % len(goals)])
        for seed, one in drawn.items()
    ]
    program = CoreProgram(networks, "cortex-m4", core)
    differences = [text for network in networks if (text := _differs(program, network))]
    assert not differences, "\n".join(differences)


def _differs(program: CoreProgram, network: Network) -> str | None:
    reference = Reference(network.model)
    for arrays in random_inputs(network.input_tensors, RANDOM_INPUTS):
        difference = first_difference(network, arrays, program.run(network, input_bytes(arrays)), reference)
        if difference is not None:
            return f"{network.name} ({_kernels(network)}): {difference}"
    return None


def _kernels(network: Network) -> Sequence[str]:
    return [step.kernel for step in network.program.steps]


@pytest.mark.parametrize("seeds", _batches(0, GRAPHS), ids=_name)
def test_random_graphs(seeds: range, tmp_path: Path) -> None:
    _prove(seeds, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("seeds", _batches(GRAPHS, SWEEP_GRAPHS), ids=_name)
def test_sweep(seeds: range, tmp_path: Path) -> None:
    _prove(seeds, tmp_path)
