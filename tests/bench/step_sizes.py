"""Adds to ``tinyml/plan/code_sizes.json`` what single steps take, compiled without the rest of a firmware.

``python -m tests.bench.step_sizes [ISA ...]`` draws random models of every op, lowers them for each instruction set,
and compiles the steps whose kernel the table does not have: the sizes of their functions in the object are those in a
firmware. With ``.tflite`` files besides it measures all kernels that these networks call anew, from their steps and the
random ones. It takes minutes where ``python -m tinyml.calibrate``, which builds whole firmwares, takes hours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.kernels import arithmetic_cases, grouped_cases, layer_cases, logic_cases, move_cases
from tests.kernels import test_bits as bits
from tests.kernels import test_dsp_wide as wide
from tests.kernels import test_fused as fused
from tests.kernels import test_layer_norm as layer_norm
from tests.kernels import test_lstm as lstm
from tests.kernels import test_whole_norm as whole_norm
from tests.support.sample_models import sample_of_every_op
from tests.support.shared import REPOSITORY
from tests.support.tflite_builder import Builder
from tinyml.boards import load_board
from tinyml.calibrate import REFERENCE_BOARDS, RIDGE
from tinyml.codegen import generate
from tinyml.errors import UnsupportedError
from tinyml.files import write_file
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower, target_of
from tinyml.lower.program import Optimize, Program, Step, Target
from tinyml.lower.sharing import shared_groups
from tinyml.plan.code_size import TABLE, features, fit
from tinyml.plan.planner import Plan
from tinyml.tflite.read import read_graph

SEEDS = 10
FLAGS = ("-std=gnu11", "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-fomit-frame-pointer",
         "-fno-ipa-icf", "-fstack-usage")  # fmt: skip
RUNTIME = REPOSITORY / "firmware_templates" / "runtime"
_TENSOR_ALIGN = 16


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A step and the program it is from."""

    program: Program
    step: Step


def models(seeds: int = SEEDS) -> Iterator[bytes]:
    """Random models of every op, ``seeds`` of each, some of them of several."""
    for seed in range(seeds):
        for cases in (arithmetic_cases.CASES, layer_cases.CASES, layer_cases.STATEFUL):
            yield from (make(arithmetic_cases.Draw(seed)) for make in cases.values())
        builds: list[Callable[[Builder, move_cases.Draw], list[int] | int]] = [
            *move_cases.MOVE_CASES.values(), *logic_cases.CASES.values()
        ]  # fmt: skip
        for build in builds:
            b = Builder()
            made = build(b, move_cases.Draw(seed))
            yield b.build([made] if isinstance(made, int) else made)
        draw = arithmetic_cases.Draw(seed)
        yield from (layer_norm.case(draw), whole_norm.case(draw), fused.swish(draw), fused.chain(draw), lstm.case(draw))
        yield grouped_cases.grouped_model(grouped_cases.drawn_shape(draw), draw)
        yield bits.random_model(seed)
    shapes = enumerate(grouped_cases.SHAPES)
    yield from (grouped_cases.grouped_model(shape, arithmetic_cases.Draw(seed)) for seed, shape in shapes)
    yield from (expected.model for expected in wide.cases())
    yield from (fused.attention(True), fused.attention(False), sample_of_every_op())


def samples(target: Target, known: Sequence[str], networks: Sequence[Path]) -> list[Sample]:
    """Steps of all models on ``target`` whose kernel is not ``known``, one of those with the same numbers.

    Of ``networks`` those of all kernels.
    """
    found: list[Sample] = []
    seen = set()
    wanted: set[str] = set()
    named = [path.read_bytes() for path in networks]
    for number, data in enumerate((*named, *models())):
        graph = run_passes(read_graph(data))
        for optimize in (Optimize.BALANCED, Optimize.SIZE):
            try:
                program = lower(graph, replace(target, optimize=optimize))
            except UnsupportedError:
                continue
            wanted |= {step.kernel for step in program.steps} if number < len(named) else set()
            for step in program.steps:
                key = step.kernel, tuple(sorted(features(step).items()))
                if (step.kernel in wanted or step.kernel not in known) and key not in seen:
                    seen.add(key)
                    found.append(Sample(program, step))
    return found


def sources_of(sample: Sample, name: str) -> dict[str, str]:
    """The C of one step, every tensor at an address of its own."""
    program = replace(sample.program, steps=(sample.step,), segments=())
    offsets, end = {}, 0
    for index, tensor in enumerate(program.graph.tensors):
        offsets[index] = end
        end += -(-tensor.size_bytes // _TENSOR_ALIGN) * _TENSOR_ALIGN
    assert not shared_groups(program)
    plan = Plan((), offsets, {0: end}, end + sample.step.scratch_bytes, end, 0)
    return generate(program, plan, name)


def measured(found: Sequence[Sample], flags: Sequence[str]) -> tuple[list[tuple[float, float]], float]:
    """Bytes of code and of stack of every step, and bytes of the functions that they share, libgcc's among them."""
    with tempfile.TemporaryDirectory(prefix="tinyml-steps-") as folder:
        root = Path(folder)
        names = [f"n{i}" for i in range(len(found))]
        for sample, name in zip(found, names, strict=True):
            for file, content in sources_of(sample, name).items():
                (root / file).write_text(content, encoding="utf-8")
        (root / "all.c").write_text("".join(f'#include "{name}.c"\n' for name in names), encoding="utf-8")
        compiler = ["arm-none-eabi-gcc", *flags, *FLAGS, f"-I{RUNTIME}", f"-I{root}"]
        subprocess.run([*compiler, "-c", "all.c", "-o", "all.o"], cwd=root, check=True)
        subprocess.run([*compiler, "-r", "-nostdlib", "all.o", "-lgcc", "-o", "linked.o"], cwd=root, check=True)
        listed = subprocess.run(
            ["arm-none-eabi-nm", "-S", "linked.o"], cwd=root, check=True, capture_output=True, text=True
        ).stdout.split("\n")
        frames = (line.split("\t") for line in (root / "all.su").read_text(encoding="utf-8").splitlines())
        stack = {fields[0].rsplit(":", 1)[1]: float(fields[1]) for fields in frames}
    rows = [line.split() for line in listed]
    code = {row[3]: float(int(row[1], 16)) for row in rows if len(row) == 4 and row[2] in "tT"}
    steps = {f"{name}_step_000" for name in names}
    shared = sum(size for name, size in code.items() if not name.startswith("n") or name.split("_")[0] not in names)
    return [(code[s], stack[s]) for s in sorted(steps, key=lambda s: int(s[1:].split("_")[0]))], shared


def additions(
    target: Target, flags: Sequence[str], known: Sequence[str], networks: Sequence[Path]
) -> tuple[dict[str, Any], dict[str, float]]:
    """The table's entries for the kernels that are not ``known`` or in ``networks``, and what each brings once."""
    by_kernel: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples(target, known, networks):
        by_kernel[sample.step.kernel].append(sample)
    kernels: dict[str, Any] = {}
    helpers: dict[str, float] = {}
    for kernel, found in sorted(by_kernel.items()):
        sizes, shared = measured(found, flags)
        rows = [features(sample.step) for sample in found]
        kernels[kernel] = {
            "op": found[0].step.kind,
            "code": fit([(row, code) for row, (code, _) in zip(rows, sizes, strict=True)], RIDGE),
            "stack": fit([(row, stack) for row, (_, stack) in zip(rows, sizes, strict=True)], RIDGE),
        }
        if shared:
            helpers[kernel] = shared
        sys.stderr.write(f"{target.isa.value} {kernel}: {len(found)} steps, {shared:.0f} bytes once\n")
    return kernels, helpers


def main() -> int:
    """Rewrites the table with what is missing in it."""
    networks = [Path(arg) for arg in sys.argv[1:] if arg.endswith(".tflite")]
    isas = [arg for arg in sys.argv[1:] if not arg.endswith(".tflite")]
    for board in map(load_board, REFERENCE_BOARDS):
        if isas and board.isa_name not in isas:
            continue
        known = json.loads(TABLE.read_text(encoding="utf-8"))["gcc"]["kernels"][board.isa_name]
        kernels, helpers = additions(target_of(board), board.gcc_flags, tuple(known), networks)
        table = json.loads(TABLE.read_text(encoding="utf-8"))
        table["gcc"]["kernels"][board.isa_name] |= kernels
        table["gcc"]["helpers"][board.isa_name]["code"] |= helpers
        write_file(TABLE, json.dumps(table, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
