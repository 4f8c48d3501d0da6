"""Networks on a Cortex-M55 in QEMU: random graphs, every tensor compared, and counts of the MLPerf Tiny models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core_build import compile_core
from tests.support.host_build import (
    Network,
    compile_network,
    first_difference,
    random_inputs,
    read_results,
)
from tests.support.qemu_steps import CORE, run_image, start_code
from tests.support.random_graphs import random_tflite
from tests.support.shared import require_module, require_shared, require_tool
from tinyml.lower.program import Isa, Optimize
from tinyml.pipeline import Options, profile
from tinyml.plan.choose import Goal
from tinyml.tflite.reference import Reference

RANDOM_INPUTS = 2
GRAPHS = range(100_000, 100_012)

_TRACE = """
#define TML_TRACE 1
#include <stdint.h>
void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes);
"""

_RECORD = """
void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes) {
    uint32_t head[2] = {source_tensor, bytes};
    transfer(5, out_file, head, sizeof head);
    transfer(5, out_file, (void *)(uintptr_t)data, bytes);
}
"""

_RUN = """
static void run_%(name)s(void) {
    static int8_t in[%(upper)s_INPUT_BYTES];
    static int8_t out[%(upper)s_OUTPUT_BYTES];
    transfer(6, in_file, in, sizeof in);
    if (%(name)s_run(in, out) == 0) tml_trace_tensor(0xFFFFFFFFu, out, sizeof out);
}
"""

BARS = {
    "kws_ref_model": 658_500,
    "vww_96_int8": 1_217_000,
    "pretrainedResnet_quant": 1_935_000,
    "ad01_int8": 41_000,
}
"""What was measured and 2 %; TensorFlow Lite Micro with CMSIS-NN takes 1.79, 6.43, 4.81 and 0.150 million."""


def prove_networks(networks: list[Network], directory: Path, compiler: str) -> None:
    """Every traced tensor and every output equals the reference's."""
    source = _TRACE + "".join(f'#include "{network.name}.c"\n' for network in networks) + start_code() + _RECORD
    inputs = [random_inputs(network.input_tensors, RANDOM_INPUTS) for network in networks]
    source += "".join(_RUN % {"name": n.name, "upper": n.name.upper()} for n in networks)
    calls = "".join(
        f"    for (int n = 0; n < {len(runs)}; n++) run_{network.name}();\n"
        for network, runs in zip(networks, inputs, strict=True)
    )
    source += f"void all_steps(void) {{\n{calls}}}\n"
    headers = {name: text for network in networks for name, text in network.sources.items()}
    elf = compile_core(source, CORE, directory, entries=("start",), compiler=compiler, optimise="-O2", headers=headers)
    data = run_image(elf, [array for runs in inputs for run in runs for array in run])
    results = iter(read_results(data, sum(map(len, inputs))))
    differences = []
    for network, runs in zip(networks, inputs, strict=True):
        reference = Reference(network.model)
        found = [first_difference(network, arrays, next(results), reference) for arrays in runs]
        kernels = [step.kernel for step in network.program.steps]
        differences += [f"{network.name} ({kernels}): {text}" for text in found if text is not None]
    assert not differences, "\n".join(differences)


@pytest.fixture(scope="module")
def random_networks() -> list[Network]:
    """Drawn once for both compilers."""
    require_module("tensorflow")
    goals = list(Optimize)
    return [
        compile_network(random_tflite(seed).model, f"net{seed}", isa=Isa.MVE, optimize=goals[seed % len(goals)])
        for seed in GRAPHS
    ]


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_random_graphs(compiler: str, random_networks: list[Network], tmp_path: Path) -> None:
    prove_networks(random_networks, tmp_path, compiler)


@pytest.mark.shared
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("name", list(BARS))
def test_instructions(name: str, compiler: str, tmp_path: Path) -> None:
    """One inference of the firmware by either compiler, counted in QEMU."""
    require_tool("qemu-system-arm")
    if compiler == "zig":
        require_module("ziglang")
    options = Options(toolchain=compiler, emulator="qemu", memory=Goal(0))
    result = profile(require_shared(f"models/{name}.tflite"), "mps3-an547", tmp_path / "project", options)
    assert result.instructions <= BARS[name], f"{name} took {result.instructions:,} instructions with {compiler}"
