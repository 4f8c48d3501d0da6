"""Networks with packed weights: every tensor equals the reference's, on the host and on cores, with less flash."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.kernels.test_mve_networks import prove_networks as prove_on_m55
from tests.support.core_networks import CoreProgram
from tests.support.host_build import Network, compile_network, first_difference, input_bytes, prove_networks
from tests.support.host_build import random_inputs as draw_inputs
from tests.support.packed_models import DRAWS, packed_model
from tinyml.codegen import generate
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Target, padded_bytes, unique_consts
from tinyml.lower.unpack import KIND
from tinyml.plan.choose import Goal, choose_plan
from tinyml.plan.packed_weights import choose_packed
from tinyml.plan.planner import check_plan, make_plan
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

SAVED_PART = {"ternary": 0.6, "binary": 0.7, "sparse": 0.5, "clustered": 0.25}
"""What of the flash of all constants has to go at least, on every instruction set."""


def networks(isa: Isa, optimize: Optimize = Optimize.SIZE) -> list[Network]:
    return [compile_network(packed_model(kind), f"net_{kind}", isa=isa, optimize=optimize) for kind in DRAWS]


def unpacked_bytes(network: Network) -> int:
    """Flash of the network's constants if none were packed."""
    return network.program.weights_bytes + sum(p.saved_bytes for p in network.packed)


@pytest.mark.parametrize("isa", list(Isa))
def test_flash_is_saved(isa: Isa) -> None:
    for kind, network in zip(DRAWS, networks(isa), strict=True):
        steps = [step for step in network.program.steps if step.kind == KIND]
        assert len(steps) == len(network.packed) > 0, kind
        assert network.program.weights_bytes == sum(padded_bytes(c) for c in unique_consts(network.program))
        saved = 1 - network.program.weights_bytes / unpacked_bytes(network)
        assert saved >= SAVED_PART[kind], f"{kind}: {saved:.2f}"


def test_host(tmp_path: Path) -> None:
    prove_networks(networks(Isa.PORTABLE), tmp_path)


@pytest.mark.parametrize(("core", "isa"), [("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M), ("cortex-m4", Isa.DSP)])
def test_cores(core: str, isa: Isa, tmp_path: Path) -> None:
    made = networks(isa)
    program = CoreProgram(made, core, tmp_path)
    for network in made:
        reference = Reference(network.model)
        for inputs in draw_inputs(network.input_tensors, 1):
            difference = first_difference(network, inputs, program.run(network, input_bytes(inputs)), reference)
            assert difference is None, f"{network.name}: {difference}"


@pytest.mark.parametrize("isa", list(Isa))
def test_balanced_costs_no_memory_and_little_work(isa: Isa) -> None:
    """What is packed by default leaves the arena as it is; on each instruction set some of the networks gain."""
    gained = 0
    for kind, network in zip(DRAWS, networks(isa, Optimize.BALANCED), strict=True):
        plain = compile_network(network.model, isa=isa, optimize=Optimize.SPEED)
        balanced = lower(network.graph, Target(isa))
        assert network.plan.arena_bytes <= make_plan(balanced).arena_bytes, kind
        assert not plain.packed, kind
        gained += sum(p.saved_bytes for p in network.packed) > 0
    assert gained >= 2


def test_size_packs_what_the_memory_allows() -> None:
    """With less room for the arena only arrays whose buffers fit are packed, down to none."""
    model = packed_model("ternary")
    wide = compile_network(model, isa=Isa.DSP, optimize=Optimize.SIZE)
    narrow = compile_network(model, isa=Isa.DSP, optimize=Optimize.SIZE, most_arena_bytes=90_000)
    assert wide.plan.arena_bytes > 90_000 >= narrow.plan.arena_bytes
    assert 0 < len(narrow.packed) < len(wide.packed)


def by_rows(isa: Isa) -> Network:
    """The ternary network planned for the least memory: its layers run together by rows."""
    model = packed_model("ternary")
    planned = choose_plan(lower(run_passes(read_graph(model)), Target(isa, Optimize.SIZE)), Goal(math.inf))
    choice = choose_packed(planned.program, planned.plan, 1 << 20)
    check_plan(choice.program, choice.plan)
    return Network("net", model, choice.program, choice.plan, generate(choice.program, choice.plan, "net"))


@pytest.mark.parametrize("isa", list(Isa))
def test_steps_by_rows_have_their_weights_before_the_first_row(isa: Isa) -> None:
    program = by_rows(isa).program
    expanded = {step.outputs[0] for step in program.steps if step.kind == KIND}
    assert any(
        t in expanded for first, last in program.segments for s in program.steps[first : last + 1] for t in s.inputs
    )
    for first, last in program.segments:
        assert all(step.rows is not None for step in program.steps[first : last + 1])


def test_steps_by_rows_on_the_host(tmp_path: Path) -> None:
    prove_networks([by_rows(Isa.PORTABLE)], tmp_path)


def test_m55(tmp_path: Path) -> None:
    """One image a network: the machine's RAM has no room for the arenas of all."""
    for network in networks(Isa.MVE):
        folder = tmp_path / network.name
        folder.mkdir()
        prove_on_m55([network], folder, "gcc")
