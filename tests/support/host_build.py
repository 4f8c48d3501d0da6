"""Compiles generated C for this machine and compares what it computes with the reference, tensor by tensor.

    prove(model_bytes)                       # compile, run on random and extreme inputs, compare everything

One program holds any number of networks. It reads the inputs of each in turn from stdin and writes records of
(tensor's index in the file, size, bytes) to stdout; a record with the index OUTPUTS holds the network's outputs.
"""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.shared import missing
from tinyml.codegen import generate
from tinyml.graph.ir import DType, Graph, Tensor
from tinyml.graph.limits import input_limits
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Program, Target
from tinyml.lower.streaming import stream
from tinyml.paths import templates_dir
from tinyml.plan.canaries import guarded
from tinyml.plan.choose import Goal, Planned, choose_plan
from tinyml.plan.packed_weights import PackedWeights, choose_packed
from tinyml.plan.planner import Plan, check_plan, make_plan
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

Array = npt.NDArray[Any]

OUTPUTS = 0xFFFFFFFF
WARNINGS = ("-Wall", "-Wextra", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

_MAIN = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes) {
    const uint32_t head[2] = {source_tensor, bytes};
    if (fwrite(head, 1, sizeof head, stdout) != sizeof head || fwrite(data, 1, bytes, stdout) != bytes) {
        exit(3);
    }
}

void tml_canary_broken(uint32_t step, uint32_t offset);

void tml_canary_broken(uint32_t step, uint32_t offset) {
    fprintf(stderr, "step %u wrote byte %u of the arena, which is nobody's\\n", (unsigned)step, (unsigned)offset);
    exit(5);
}
"""

_RUN = """
#include "%(name)s.h"
static void run_%(name)s(int count) {
    static int8_t in[%(upper)s_INPUT_BYTES];
    static int8_t out[%(upper)s_OUTPUT_BYTES];
    for (int i = 0; i < count; i++) {
        if (fread(in, 1, sizeof in, stdin) != sizeof in || %(name)s_run(in, out) != 0) {
            exit(4);
        }
        tml_trace_tensor(0xFFFFFFFFu, out, sizeof out);
    }
}
"""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A model compiled to C under a name of its own, and the model's bytes."""

    name: str
    model: bytes
    program: Program
    plan: Plan
    sources: dict[str, str]
    packed: tuple[PackedWeights, ...] = ()

    @property
    def graph(self) -> Graph:
        """The graph that the program was lowered from."""
        return self.program.graph

    @property
    def input_tensors(self) -> list[Tensor]:
        """The tensors of the inputs."""
        return [self.graph.tensors[i] for i in self.graph.inputs]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One inference: the outputs' bytes one after the other, and every traced tensor's by its index in the file."""

    outputs: bytes
    trace: dict[int, bytes]


def lower_model(
    model: bytes,
    *,
    isa: Isa = Isa.PORTABLE,
    optimize: Optimize = Optimize.BALANCED,
    passes: bool = True,
    match: str = "litert",
    hop_rows: int | None = None,
) -> Program:
    """From the file's bytes to kernel calls. With ``hop_rows`` only what that many new rows of the input change."""
    graph = read_graph(model, match=match)
    graph = run_passes(graph) if passes else graph
    return lower(graph, Target(isa, optimize), stream(graph, hop_rows) if hop_rows else None)


def plan_network(
    model: bytes,
    program: Program,
    name: str = "network",
    *,
    most_arena_bytes: int = 1 << 20,
    goal: Goal | None = None,
    canaries: bool = False,
) -> Network:
    """The C of ``program``, which is ``model`` lowered.

    ``goal`` searches the plan, None takes one step after the other; ``canaries`` watch what no buffer holds.
    """
    planned = Planned(program, make_plan(program)) if goal is None else choose_plan(program, goal)
    choice = choose_packed(planned.program, planned.plan, most_arena_bytes)
    plan = guarded(choice.program, choice.plan) if canaries else choice.plan
    check_plan(choice.program, plan)
    sources = generate(choice.program, plan, name, canaries=canaries)
    return Network(name, model, choice.program, plan, sources, choice.packed)


def compile_network(
    model: bytes,
    name: str = "network",
    *,
    most_arena_bytes: int = 1 << 20,
    goal: Goal | None = None,
    canaries: bool = False,
    **options: Any,
) -> Network:
    """Everything from the file's bytes to C; ``options`` are those of :func:`lower_model`."""
    program = lower_model(model, **options)
    return plan_network(model, program, name, most_arena_bytes=most_arena_bytes, goal=goal, canaries=canaries)


@functools.cache
def host_compiler() -> tuple[str, ...]:
    """gcc, or zig's clang."""
    gcc = shutil.which("gcc")
    return (gcc,) if gcc else clang()


def clang(language: str = "cc") -> tuple[str, ...]:
    """zig's clang as a C (``cc``) or C++ (``c++``) compiler; the test is skipped without it."""
    try:
        import ziglang  # noqa: F401
    except ImportError:
        missing("the Python module ziglang is not installed")
    return (sys.executable, "-m", "ziglang", language)


@functools.cache
def sanitizer_flags() -> tuple[str, ...]:
    """The flags of the address and undefined behaviour sanitizers; none where the compiler cannot link them."""
    probe = subprocess.run(
        [*host_compiler(), *SANITIZERS, "-x", "c", "-", "-o", "/dev/null"],
        input="int main(void) { return 0; }",
        capture_output=True,
        text=True,
        check=False,
    )
    return SANITIZERS if probe.returncode == 0 else ()


def compile_c(command: Sequence[str], sources: Sequence[Path], output: Path, flags: Sequence[str]) -> None:
    """Run a compiler over ``sources``; a diagnostic fails the test with its text."""
    include = ["-I", str(templates_dir() / "runtime"), "-I", str(output.parent)]
    done = subprocess.run(
        [*command, *flags, *include, *map(str, sources), "-o", str(output)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:4000]


def write_sources(networks: Sequence[Network], folder: Path) -> list[Path]:
    """The C files of all networks, written to ``folder`` with their headers."""
    for network in networks:
        for name, text in network.sources.items():
            (folder / name).write_text(text, encoding="utf-8")
    return [folder / f"{network.name}.c" for network in networks]


def host_program(
    networks: Sequence[Network], folder: Path, count: int, *, optimise: str = "-O1", sanitize: bool = True
) -> Path:
    """An executable that runs each network ``count`` times.

    With the sanitizers warnings are off: their checks make GCC see overflows that cannot be, as its manual warns.
    """
    sources = write_sources(networks, folder)
    names = [network.name for network in networks]
    calls = "".join(f"    run_{name}({count});\n" for name in names)
    runs = "".join(_RUN % {"name": name, "upper": name.upper()} for name in names)
    main = folder / "main.c"
    main.write_text(f"{_MAIN}{runs}\nint main(void) {{\n{calls}    return 0;\n}}\n", encoding="utf-8")
    program = folder / "program"
    checks = sanitizer_flags() if sanitize else ()
    flags = ["-std=c11", optimise, "-g", "-DTML_TRACE=1", *(("-w", *checks) if checks else WARNINGS)]
    compile_c(host_compiler(), [main, *sources], program, flags)
    return program


def run_program(program: Path, networks: Sequence[Network], inputs: Sequence[Sequence[bytes]]) -> list[list[Result]]:
    """The results of each network on each of its inputs; a sanitizer's report fails the test."""
    stdin = b"".join(content for one in inputs for content in one)
    done = subprocess.run([str(program)], input=stdin, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[:4000]
    results = iter(read_results(done.stdout, sum(map(len, inputs))))
    return [[next(results) for _ in one] for _, one in zip(networks, inputs, strict=True)]


def read_results(data: bytes, count: int) -> list[Result]:
    """``count`` results from the records of a trace."""
    records = _records(data)
    return [_result(records) for _ in range(count)]


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        tensor, size = struct.unpack_from("<II", data, position)
        yield tensor, data[position + 8 : position + 8 + size]
        position += 8 + size


def _result(records: Iterator[tuple[int, bytes]]) -> Result:
    trace: dict[int, bytes] = {}
    for tensor, content in records:
        if tensor == OUTPUTS:
            return Result(content, trace)
        trace[tensor] = trace.get(tensor, b"") + content
    raise AssertionError("the program ended early")


Limits = Sequence[tuple[float, float]]


def random_inputs(
    tensors: Sequence[Tensor], count: int, seed: int = 0, limits: Limits | None = None
) -> list[list[Array]]:
    """``count`` random inputs after the extremes: all smallest, all largest, all zero points; within ``limits``."""
    rng = np.random.default_rng(seed)
    both = list(zip(tensors, limits or [_of_type(tensor) for tensor in tensors], strict=True))
    return [
        *([_extreme(tensor, which, *limit) for tensor, limit in both] for which in ("low", "high", "zero")),
        *([_random(tensor, rng, *limit) for tensor, limit in both] for _ in range(count)),
    ]


def _of_type(tensor: Tensor) -> tuple[float, float]:
    if tensor.dtype in (DType.FLOAT32, DType.BOOL):
        return {DType.FLOAT32: (-1e4, 1e4), DType.BOOL: (0, 1)}[tensor.dtype]
    info = np.iinfo(tensor.dtype.numpy)
    return int(info.min), int(info.max)


def _extreme(tensor: Tensor, which: str, low: float, high: float) -> Array:
    zero = tensor.zero_point if tensor.quant else 0
    return np.full(
        tensor.shape, {"low": low, "high": high, "zero": min(max(zero, low), high)}[which], tensor.dtype.numpy
    )


def _random(tensor: Tensor, rng: np.random.Generator, low: float, high: float) -> Array:
    if tensor.dtype is DType.FLOAT32:
        return rng.normal(0, 3, tensor.shape).astype(np.float32)
    return rng.integers(int(low), int(high), tensor.shape, endpoint=True).astype(tensor.dtype.numpy)


def input_limits_of(network: Network) -> Limits:
    """What the inputs of ``network`` may hold; floats a thousand times as much as in a proof."""
    return input_limits_of_graph(network.graph)


def input_limits_of_graph(graph: Graph) -> Limits:
    """The same of a graph."""
    tensors = [graph.tensors[i] for i in graph.inputs]
    return [
        _of_type(t) if t.dtype is DType.FLOAT32 else limit
        for t, limit in zip(tensors, input_limits(graph), strict=True)
    ]


def input_bytes(arrays: Sequence[Array]) -> bytes:
    """The inputs as the C takes them."""
    return b"".join(array.tobytes() for array in arrays)


def first_difference(network: Network, inputs: Sequence[Array], got: Result, reference: Reference) -> str | None:
    """Which traced tensor or output differs first from the reference, and where; None where all are equal."""
    wanted = reference.trace(inputs)
    graph = network.graph
    produced_by = {graph.source_tensors[t]: op for op in graph.ops for t in op.outputs}
    index_of = {source: index for index, source in enumerate(graph.source_tensors) if source >= 0}
    assert set(got.trace) <= set(wanted), "a traced tensor is not the file's"
    assert all(graph.source_tensors[t] in got.trace for t in graph.outputs if graph.source_tensors[t] >= 0)
    for tensor, content in got.trace.items():
        expected = graph.of_source(index_of[tensor], wanted[tensor])
        if content != expected.tobytes():
            actual = np.frombuffer(content, expected.dtype)
            wrong = np.flatnonzero(actual != expected.ravel())
            op = produced_by.get(tensor)
            return (
                f"tensor {tensor} {expected.shape} of {op.kind if op else 'an input'} differs at {len(wrong)} places:"
                f" {wrong[:8].tolist()} have {actual[wrong[:8]].tolist()}, expected"
                f" {expected.ravel()[wrong[:8]].tolist()}; {op.attrs if op else ''}"
            )
    if got.outputs != b"".join(array.tobytes() for array in reference.run(inputs)):
        return "the outputs differ though their tensors are equal"
    return None


def prove_networks(networks: Sequence[Network], folder: Path, count: int = 3, **options: Any) -> None:
    """Compile networks into one program, run each on ``count`` random inputs and the extremes, compare everything."""
    inputs = [random_inputs(n.input_tensors, count, limits=input_limits_of(n)) for n in networks]
    program = host_program(networks, folder, count + 3, **options)
    results = run_program(program, networks, [[input_bytes(i) for i in one] for one in inputs])
    for network, one, got in zip(networks, inputs, results, strict=True):
        reference = Reference(network.model)
        for arrays, result in zip(one, got, strict=True):
            difference = first_difference(network, arrays, result, reference)
            assert difference is None, f"{network.name}: {difference}"


def prove_models(models: Sequence[bytes], folder: Path, count: int = 3, *, passes: bool = False) -> None:
    """The same from the models' bytes."""
    networks = [compile_network(model, f"net{i}", passes=passes) for i, model in enumerate(models)]
    prove_networks(networks, folder, count)
