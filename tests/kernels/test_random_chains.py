"""Random networks of layers that run row by row, under every goal of the planner: all tensors equal the reference's.

Their rows are multiples of four bytes, so that nearly all of them are streamed. All plans of a network are compiled
under names of their own into one program, for the host with sanitizers and for cores in Unicorn, with canary bytes
between buffers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels.test_canaries import prove_on_core
from tests.kernels.test_mve_networks import prove_networks as prove_in_qemu
from tests.support.host_build import Network, lower_model, plan_network, prove_networks
from tests.support.row_chains import random_chain
from tests.support.shared import require_module, require_tool
from tinyml.errors import UnsupportedError
from tinyml.lower.program import Isa, Optimize
from tinyml.plan.choose import Goal

GOALS = {"steps": None, "default": Goal(), "least": Goal(math.inf), "rows": Goal(math.inf, fed_by_rows=True)}
OTHER_CORES = [
    ("cortex-m0plus", Isa.V6M),
    ("cortex-m3", Isa.V7M),
    ("cortex-m7", Isa.DSP),
]
RANDOM_INPUTS = 1


def networks_of(seeds: range, isa: Isa, *, canaries: bool = True) -> Iterator[Network]:
    """Every different plan of every network."""
    for seed in seeds:
        model, seen = random_chain(seed), set()
        program = lower_model(model, isa=isa, optimize=list(Optimize)[seed % len(Optimize)])
        for name, goal in GOALS.items():
            try:
                network = plan_network(model, program, f"n{seed}_{name}", goal=goal, canaries=canaries)
            except UnsupportedError:
                assert name == "rows", "only an input by rows may be refused"
                continue
            key = (network.program.segments, network.program.fed_by_rows, tuple(sorted(network.plan.offsets.items())))
            if key not in seen:
                seen.add(key)
                yield network


def streamed(networks: list[Network]) -> int:
    return sum(bool(network.program.segments) for network in networks)


@pytest.mark.parametrize("first", [0, 6])
def test_on_the_host(first: int, tmp_path: Path) -> None:
    networks = list(networks_of(range(first, first + 6), Isa.PORTABLE))
    assert streamed(networks) > len(networks) // 2
    assert sum(network.program.fed_by_rows for network in networks) >= 2
    prove_networks(networks, tmp_path, RANDOM_INPUTS, optimise="-O0")


@pytest.mark.parametrize("first", [60, 72])
def test_on_cortex_m4(first: int, tmp_path: Path) -> None:
    require_module("unicorn")
    networks = list(networks_of(range(first, first + 12), Isa.DSP))
    assert streamed(networks) > len(networks) // 2
    prove_on_core(networks, "cortex-m4", tmp_path)


@pytest.mark.parametrize(("core", "isa"), OTHER_CORES)
def test_on_other_cores(core: str, isa: Isa, tmp_path: Path) -> None:
    require_module("unicorn")
    networks = list(networks_of(range(180, 186), isa))
    assert streamed(networks) > len(networks) // 2
    prove_on_core(networks, core, tmp_path)


def test_on_cortex_m55(tmp_path: Path) -> None:
    require_tool("qemu-system-arm")
    networks = list(networks_of(range(186, 192), Isa.MVE, canaries=False))
    assert streamed(networks) > len(networks) // 2
    prove_in_qemu(networks, tmp_path, "gcc")
