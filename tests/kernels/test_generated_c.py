"""The generated C as compilers see it: as C and C++, by GCC and clang, with two networks in one program."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernels.arithmetic_cases import CASES, Draw
from tests.kernels.test_lstm import case as lstm_case
from tests.kernels.test_state import rolling
from tests.support.core_build import CORES
from tests.support.host_build import (
    WARNINGS,
    Network,
    clang,
    compile_c,
    compile_network,
    host_compiler,
    input_bytes,
    prove_networks,
    random_inputs,
    write_sources,
)
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tests.support.shared import missing, require_shared, require_tool
from tests.support.tflite_builder import Builder
from tinyml.codegen import generate
from tinyml.lower.program import Isa
from tinyml.paths import templates_dir
from tinyml.tflite.reference import Reference

MLPERF_TINY = ("kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8")


def gplusplus() -> Sequence[str]:
    found = shutil.which("g++")
    if found is None:
        missing("g++ is not on PATH")
    return (found,)


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    """Two networks that together have every op."""
    return [compile_network(sample_of_every_op(), "every_op"), compile_network(sample_conv_model(), "small")]


@pytest.fixture(scope="module")
def further_networks() -> list[Network]:
    """What no converter writes as one op, and what keeps state."""
    models = {"lstm": lstm_case(Draw(3)), "attention": CASES["ATTENTION"](Draw(5)), "rolling": rolling()}
    return [compile_network(model, name) for name, model in models.items()]


@pytest.mark.parametrize("external_arena", [False, True])
@pytest.mark.parametrize("trace", [0, 1])
@pytest.mark.parametrize(
    ("compiler", "standard"),
    [("gcc", "c11"), ("clang", "c11"), ("g++", "c++11"), ("g++", "c++20"), ("clang++", "c++17")],
)
def test_no_warning_in_any_dialect(
    compiler: str,
    standard: str,
    trace: int,
    external_arena: bool,
    networks: list[Network],
    further_networks: list[Network],
    tmp_path: Path,
) -> None:
    command = {"gcc": host_compiler, "clang": clang, "g++": gplusplus, "clang++": lambda: clang("c++")}[compiler]()
    language = "c++" if "++" in compiler else "c"
    flags = [f"-std={standard}", "-O2", *WARNINGS, "-Wshadow", f"-DTML_TRACE={trace}", "-c", "-x", language]
    tried = networks if trace or external_arena else networks + further_networks
    for network, source in zip(tried, write_sources(tried, tmp_path), strict=True):
        arena = [f"-D{network.name.upper()}_ARENA_EXTERNAL"] if external_arena else []
        compile_c(command, [source], tmp_path / f"{network.name}.o", [*flags, *arena])


def test_every_op_and_two_networks_in_one_program(networks: list[Network], tmp_path: Path) -> None:
    prove_networks(networks, tmp_path)


def test_the_c_interface(tmp_path: Path) -> None:
    """Pointers into an arena that the application supplies, several inputs and outputs in order, the constants."""
    builder = Builder()
    a = builder.input((1, 3), scale=0.5, zero_point=2)
    b = builder.input((1, 3), scale=0.25)
    total = builder.binary("ADD", a, b, scale=0.5)
    model = builder.build([total, builder.binary("SUB", a, b, scale=0.5, zero_point=-7)])
    network = compile_network(model, "pair")
    (source,) = write_sources([network], tmp_path)
    main = tmp_path / "main.c"
    main.write_text("""
#include "pair.h"
#include <stdio.h>
#include <string.h>
_Alignas(16) uint8_t pair_arena[PAIR_ARENA_BYTES];
int main(void) {
    static const int shape[2] = PAIR_INPUT_1_SHAPE;
    int8_t in[PAIR_INPUT_BYTES];
    int8_t out[PAIR_OUTPUT_BYTES];
    if (fread(in, 1, sizeof in, stdin) != sizeof in || pair_run(in, out) != 0) return 1;
    memcpy(pair_input(0), in, PAIR_INPUT_0_BYTES);
    memcpy(pair_input(1), in + PAIR_INPUT_0_BYTES, PAIR_INPUT_1_BYTES);
    pair_invoke();
    if (memcmp(pair_output(0), out, PAIR_OUTPUT_0_BYTES) != 0) return 2;
    if (memcmp(pair_output(1), out + PAIR_OUTPUT_0_BYTES, PAIR_OUTPUT_1_BYTES) != 0) return 3;
    if (pair_input(2) || pair_input(-1) || pair_output(2) || shape[1] != 3) return 4;
    if (PAIR_INPUT_COUNT != 2 || PAIR_OUTPUT_COUNT != 2 || PAIR_OUTPUT_1_ZERO_POINT != -7) return 5;
    if (PAIR_INPUT_1_SCALE != 0.25f || strcmp(PAIR_MODEL_NAME, "model") != 0) return 6;
    return fwrite(out, 1, sizeof out, stdout) == sizeof out ? 0 : 7;
}
""")
    program = tmp_path / "program"
    compile_c(host_compiler(), [main, source], program, ["-std=c11", *WARNINGS, "-DPAIR_ARENA_EXTERNAL"])
    for arrays in random_inputs(network.input_tensors, 3):
        done = subprocess.run([str(program)], input=input_bytes(arrays), capture_output=True, check=False)
        assert done.returncode == 0
        assert done.stdout == b"".join(array.tobytes() for array in Reference(model).run(arrays))


def test_names_and_labels_are_only_names(tmp_path: Path) -> None:
    hostile = '"; system("x")*/ #error \\ ??/\n é'
    network = compile_network(sample_conv_model(), "named")
    graph = replace(
        network.graph,
        name=hostile,
        labels=(hostile, "b"),
        ops=tuple(replace(op, name=hostile) for op in network.graph.ops),
        tensors=tuple(replace(tensor, name=hostile) for tensor in network.graph.tensors),
    )
    steps = tuple(replace(step, name=hostile) for step in network.program.steps)
    program = replace(network.program, graph=graph, steps=steps)
    sources = generate(program, network.plan, "named")
    (source,) = write_sources([replace(network, sources=sources)], tmp_path)
    main = tmp_path / "main.c"
    main.write_text("""
#include "named.h"
#include <stdio.h>
int main(void) { printf("%s|%s", NAMED_MODEL_NAME, named_labels[0]); return 0; }
""")
    program_file = tmp_path / "program"
    compile_c(host_compiler(), [main, source], program_file, ["-std=c11", *WARNINGS, "-Wtrigraphs"])
    done = subprocess.run([str(program_file)], capture_output=True, check=True)
    assert done.stdout.decode("utf-8") == f"{hostile}|{hostile}"


@pytest.mark.parametrize("isa", [Isa.PORTABLE, Isa.DSP])
def test_the_objects_need_nothing_but_memcpy_and_memset(isa: Isa, tmp_path: Path) -> None:
    """No libm, no heap: what an object leaves undefined is memcpy, memset or the compiler's own arithmetic."""
    gcc = require_tool("arm-none-eabi-gcc")
    network = compile_network(sample_of_every_op(), "every_op", isa=isa)
    (source,) = write_sources([network], tmp_path)
    machine = CORES["cortex-m4"].gcc
    compile_c([str(gcc)], [source], tmp_path / "network.o", ["-std=c11", "-O2", *WARNINGS, *machine, "-mthumb", "-c"])
    nm = gcc.with_name(gcc.name.replace("gcc", "nm"))
    listed = subprocess.run([str(nm), "-u", str(tmp_path / "network.o")], capture_output=True, text=True, check=True)
    undefined = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert {name for name in undefined if not name.startswith("__aeabi_")} <= {"memcpy", "memset"}


@pytest.mark.shared
@pytest.mark.parametrize("name", MLPERF_TINY)
def test_mlperf_tiny_on_the_host(name: str, tmp_path: Path) -> None:
    """Every tensor of the four reference models, before and after the graph's passes."""
    model = require_shared(f"models/{name}.tflite").read_bytes()
    prove_networks([compile_network(model, f"p{passes:d}", passes=passes) for passes in (False, True)], tmp_path, 2)


def test_kernels_read_every_header_on_its_own(tmp_path: Path) -> None:
    """Each portable header compiles alone, in C and in C++."""
    for header in sorted((templates_dir() / "runtime").glob("tml_*.h")):
        if header.stem.endswith(("_dsp", "_mve", "_v6m", "_v7m")):
            continue
        source = tmp_path / "one.c"
        source.write_text(f'#include "{header.name}"\n' * 2 + "int one(void);\nint one(void) { return 1; }\n")
        for command, language in ((host_compiler(), "c"), (gplusplus(), "c++")):
            compile_c(command, [source], tmp_path / "one.o", [*WARNINGS, "-Wshadow", "-x", language, "-c"])


def test_a_failing_reference_would_be_seen(networks: list[Network], tmp_path: Path) -> None:
    """The proof itself: one changed weight makes it fail."""
    network = networks[1]
    text = network.sources["small.c"]
    start = text.index("= {\n", text.index("small_weights_")) + 4
    value = text[start:].lstrip().split(",", 1)[0]
    changed = text[:start] + text[start:].replace(value, str(-int(value) or 1), 1)
    broken = replace(network, sources=network.sources | {"small.c": changed})
    with pytest.raises(AssertionError, match="differs at"):
        prove_networks([broken], tmp_path)
