"""Random Keras graphs, converted, compiled and run: every tensor equal to the reference kernels'.

Each batch goes into one program for the host, with the sanitizers on and the portable kernels, and into one for
Cortex-M4 in Unicorn, with the kernels that are chosen for it. On the core a network has the plan of one of the goals,
of all in turn; on the host one step after the other and that of another goal in turn, in the sweep every plan that
the goals give it. Canary bytes lie between the buffers, so that no kernel writes outside of its own.
``TINYML_SWEEP_COUNT`` sets the size of the sweep.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.core_networks import CoreProgram
from tests.support.host_build import (
    Network,
    first_difference,
    input_bytes,
    lower_model,
    plan_network,
    prove_networks,
    random_inputs,
)
from tests.support.random_graphs import Drawn, random_tflite
from tests.support.shared import require_module
from tinyml.errors import UnsupportedError
from tinyml.lower.program import Isa, Optimize, Program
from tinyml.plan.choose import Goal
from tinyml.tflite.reference import Reference

BATCH = 25
GRAPHS = 300
SWEEP_GRAPHS = int(os.environ.get("TINYML_SWEEP_COUNT", "5000"))
RANDOM_INPUTS = 2
PLANS = (None, Goal(), Goal(math.inf), Goal(math.inf, fed_by_rows=True))
"""One step after the other, the planner's default, the least memory, and that with the input by rows."""

pytestmark = [pytest.mark.train, pytest.mark.slow]


def _batches(first: int, count: int) -> list[range]:
    return [range(start, min(start + BATCH, first + count)) for start in range(first, first + count, BATCH)]


def _name(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


def _prove(seeds: range, folder: Path, *, every_plan: bool = False) -> None:
    require_module("tensorflow")
    drawn = {seed: random_tflite(seed) for seed in seeds}
    _prove_on_host(drawn, folder, every_plan)
    _prove_on_core(drawn, folder)
    assert sum(d.attempts for d in drawn.values()) <= 2 * len(drawn), "the generator's networks are mostly refused"


def _prove_on_host(drawn: dict[int, Drawn], folder: Path, every_plan: bool) -> None:
    """Every network under several goals or all; goals that give the same plan count once."""
    host = folder / "host"
    host.mkdir()
    networks: list[Network] = []
    for seed, one in drawn.items():
        program = lower_model(one.model)
        others = range(1, len(PLANS)) if every_plan else (1 + seed % (len(PLANS) - 1),)
        plans = [_planned(one, program, seed, number) for number in (0, *others)]
        differing = {_layout(network): network for network in reversed(plans)}
        networks += reversed(differing.values())
    prove_networks(networks, host, RANDOM_INPUTS, optimise="-O0")


def _layout(network: Network) -> tuple[object, ...]:
    program, plan = network.program, network.plan
    return program.segments, program.fed_by_rows, tuple(sorted(plan.offsets.items()))


def _planned(drawn: Drawn, program: Program, seed: int, number: int) -> Network:
    """The network of ``seed`` under one of the planner's goals, with canaries round its buffers."""
    goal, name = PLANS[number], f"net{seed}_{number}"
    try:
        return plan_network(drawn.model, program, name, goal=goal, canaries=True)
    except UnsupportedError:
        assert goal is not None and goal.fed_by_rows, "only an input by rows may be refused"
        return plan_network(drawn.model, program, name, goal=replace(goal, fed_by_rows=False), canaries=True)


def _prove_on_core(
    drawn: dict[int, Drawn], folder: Path, core: str = "cortex-m4", isa: Isa = Isa.DSP, compiler: str = "gcc"
) -> None:
    place = folder / f"{core}-{compiler}"
    place.mkdir()
    goals = list(Optimize)
    networks = [
        _planned(one, lower_model(one.model, isa=isa, optimize=goals[seed % len(goals)]), seed, seed // 3 % len(PLANS))
        for seed, one in drawn.items()
    ]
    program = CoreProgram(networks, core, place, compiler=compiler)
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


@pytest.fixture(scope="module")
def drawn_once() -> dict[int, Drawn]:
    """A few networks for the other cores and compilers."""
    require_module("tensorflow")
    return {seed: random_tflite(seed) for seed in range(100_000, 100_012)}


@pytest.mark.parametrize(
    ("core", "isa", "compiler"),
    [
        ("cortex-m4", Isa.DSP, "zig"),
        ("cortex-m7", Isa.DSP, "gcc"),
        ("cortex-m33", Isa.DSP, "gcc"),
        ("cortex-m3", Isa.V7M, "gcc"),
        ("cortex-m0plus", Isa.V6M, "gcc"),
        ("cortex-m0plus", Isa.V6M, "zig"),
    ],
)
def test_other_cores_and_compilers(
    core: str, isa: Isa, compiler: str, drawn_once: dict[int, Drawn], tmp_path: Path
) -> None:
    """Unicorn's Cortex-M7 has no double precision: the networks that round in float64 are left to the others."""
    drawn = drawn_once
    if core == "cortex-m7":
        drawn = {seed: one for seed, one in drawn.items() if not _rounds_in_float64(one)}
    _prove_on_core(drawn, tmp_path, core, isa, compiler)


def _rounds_in_float64(drawn: Drawn) -> bool:
    return any(step.kernel == "tml_fully_connected_float64" for step in lower_model(drawn.model, isa=Isa.DSP).steps)


@pytest.mark.sweep
@pytest.mark.parametrize("seeds", _batches(GRAPHS, SWEEP_GRAPHS), ids=_name)
def test_sweep(seeds: range, tmp_path: Path) -> None:
    _prove(seeds, tmp_path, every_plan=True)
