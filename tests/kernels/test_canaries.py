"""No kernel writes outside of its buffers, in any plan: bytes between them are filled before each step, read after."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.core_networks import CoreProgram
from tests.support.host_build import (
    Network,
    compile_network,
    first_difference,
    host_program,
    input_bytes,
    prove_networks,
    random_inputs,
)
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tests.support.shared import require_module, require_shared
from tinyml.lower.program import Isa
from tinyml.plan.choose import Goal
from tinyml.tflite.reference import Reference

GOALS = {
    "steps": None,
    "default": Goal(),
    "least": Goal(math.inf),
    "rows": Goal(math.inf, fed_by_rows=True),
}
MODELS = ("kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8")
CORES = (("cortex-m4", Isa.DSP), ("cortex-m0plus", Isa.V6M))


def networks_of(model: bytes, isa: Isa, *, by_rows: bool = True) -> list[Network]:
    goals = {name: goal for name, goal in GOALS.items() if by_rows or not (goal and goal.fed_by_rows)}
    return [compile_network(model, name, isa=isa, goal=goal, canaries=True) for name, goal in goals.items()]


def prove_on_core(networks: list[Network], core: str, folder: Path) -> None:
    program = CoreProgram(networks, core, folder)
    for network in networks:
        reference = Reference(network.model)
        for arrays in random_inputs(network.input_tensors, 1):
            difference = first_difference(network, arrays, program.run(network, input_bytes(arrays)), reference)
            assert difference is None, f"{network.name}: {difference}"


def test_small_models_on_the_host(tmp_path: Path) -> None:
    prove_networks(networks_of(sample_conv_model(), Isa.PORTABLE), tmp_path)


def test_every_op_on_the_host(tmp_path: Path) -> None:
    prove_networks(networks_of(sample_of_every_op(), Isa.PORTABLE, by_rows=False), tmp_path)


@pytest.mark.parametrize(("core", "isa"), CORES, ids=lambda value: str(value))
def test_small_models_on_a_core(core: str, isa: Isa, tmp_path: Path) -> None:
    require_module("unicorn")
    prove_on_core(networks_of(sample_conv_model(), isa), core, tmp_path)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("model", MODELS)
def test_mlperf_tiny_on_the_core(model: str, tmp_path: Path) -> None:
    require_module("unicorn")
    content = require_shared(f"models/{model}.tflite").read_bytes()
    prove_on_core(
        networks_of(content, Isa.DSP, by_rows=model not in ("ad01_int8", "kws_ref_model")), "cortex-m4", tmp_path
    )


@pytest.mark.parametrize("distance", [-1, 0])
def test_a_stray_write_is_seen(distance: int, tmp_path: Path) -> None:
    """A byte before or behind the first step's output is written besides."""
    network = compile_network(sample_conv_model(), "net", canaries=True)
    output = network.program.steps[0].outputs[0]
    place = next(p for p in network.plan.placements if p.buffer.tensor == output)
    stray = place.offset - 1 if distance < 0 else place.end
    text = network.sources["net.c"]
    spoilt = text.replace("TML_STEP_DONE();", f"*NET_AT(uint8_t, {stray}) ^= 1;\n    TML_STEP_DONE();", 1)
    spoilt_network = replace(network, sources={**network.sources, "net.c": spoilt})
    program = host_program([spoilt_network], tmp_path, 1)
    inputs = input_bytes(random_inputs(network.input_tensors, 0)[0])
    done = subprocess.run([str(program)], input=inputs, capture_output=True, check=False, timeout=60)
    assert done.returncode == 5
    assert f"step 0 wrote byte {stray} of the arena" in done.stderr.decode()
