"""Runs lowered steps on their own: their C calls with their constants, on a core in Unicorn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.core_build import Machine, compile_core
from tinyml.graph.ir import Graph
from tinyml.lower.program import Arg, Const, ConstRef, Float, In, Int, Ints, Out, Scratch, Step

Array = npt.NDArray[Any]

_C_TYPES = {"i1": "int8_t", "u1": "uint8_t", "i2": "int16_t", "u2": "uint16_t", "i4": "int32_t", "u4": "uint32_t"}
GUARD_BYTES = 64
GUARD = 0xA5


@dataclass(frozen=True, slots=True)
class Case:
    """A step of a graph, and whether its output is to lie over its input."""

    graph: Graph
    step: Step
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class StepRun:
    """What came out of a step and, where they were counted, the instructions."""

    outputs: list[Array]
    instructions: int


class StepProgram:
    """Steps compiled into one ELF, each with buffers of its own between guard bytes."""

    def __init__(
        self, cases: Sequence[Case], core: str, directory: Path, *, compiler: str = "gcc", optimise: str = "-O3"
    ) -> None:
        self._cases = list(cases)
        headers = sorted({case.step.header for case in cases})
        source = "".join(f'#include "{header}"\n' for header in headers)
        source += "".join(step_source(case, f"s{i}_") for i, case in enumerate(cases))
        names = [f"s{i}_{name}" for i, case in enumerate(cases) for name in ("run", *buffer_sizes(case))]
        elf = compile_core(source, core, directory, entries=tuple(names), compiler=compiler, optimise=optimise)
        self._machine = Machine(elf, core)

    def code_bytes(self, index: int) -> int:
        """Bytes of the code of step ``index``."""
        return self._machine.size(f"s{index}_run")

    def run(self, index: int, inputs: Sequence[Array], *, count: bool = False) -> StepRun:
        """Run step ``index`` once; fails where a byte outside of its buffers was written."""
        case, machine, prefix = self._cases[index], self._machine, f"s{index}_"
        guard = bytes([GUARD]) * GUARD_BYTES
        for name, size in buffer_sizes(case).items():
            machine.write(prefix + name, bytes([GUARD]) * (size + 2 * GUARD_BYTES))
        for position, array in enumerate(inputs):
            machine.write(f"{prefix}in_{position}", array.tobytes(), GUARD_BYTES)
        instructions = machine.count(prefix + "run") if count else machine.call(prefix + "run") or 0
        for name, size in buffer_sizes(case).items():
            ends = (machine.read(prefix + name, GUARD_BYTES, at) for at in (0, size + GUARD_BYTES))
            assert all(end == guard for end in ends), f"{case.step.kernel} wrote outside of {name}"
        outputs = []
        for position, tensor in enumerate(case.step.outputs):
            info = case.graph.tensor(tensor)
            name = f"{prefix}{output_name(case, position)}"
            data = machine.read(name, info.size_bytes, GUARD_BYTES)
            outputs.append(np.frombuffer(data, info.dtype.numpy).reshape(info.shape))
        return StepRun(outputs, instructions)


def output_name(case: Case, position: int) -> str:
    """The buffer of an output, without the prefix: in place that of the first input over which it may lie."""
    over = next((source for source, target in case.step.in_place if target == position), position)
    return f"in_{over}" if case.in_place else f"out_{position}"


def buffer_sizes(case: Case) -> dict[str, int]:
    """Bytes of each buffer of a step without its guards, by its name without the prefix."""
    sizes = {f"in_{i}": case.graph.tensor(t).size_bytes for i, t in enumerate(case.step.inputs)}
    if not case.in_place:
        sizes |= {f"out_{i}": case.graph.tensor(t).size_bytes for i, t in enumerate(case.step.outputs)}
    return sizes | {"scratch": case.step.scratch_bytes}


def c_type(data: Array) -> str:
    return _C_TYPES[data.dtype.str[1:]]


def _const_text(name: str, const: Const) -> str:
    values = ",".join(str(v) if v > -(2**31) else "(-2147483647 - 1)" for v in const.data.ravel().tolist())
    kind = c_type(const.data)
    return f"static const {kind} {name}[] __attribute__((aligned({const.align_bytes}))) = {{{values}}};\n"


def step_source(case: Case, prefix: str) -> str:
    """C that defines the step's constants, its buffers between guards, and ``void <prefix>run(void)``."""
    graph, step = case.graph, case.step
    text = "".join(_const_text(f"{prefix}const_{i}", const) for i, const in enumerate(step.consts))
    for name, size in buffer_sizes(case).items():
        text += f"uint8_t {prefix}{name}[{size + 2 * GUARD_BYTES}] __attribute__((aligned(16)));\n"

    def buffer(name: str, tensor: int, qualifier: str) -> str:
        kind = c_type(np.empty(0, graph.tensor(tensor).dtype.numpy))
        return f"({qualifier}{kind} *)({qualifier}void *)({prefix}{name} + {GUARD_BYTES})"

    def argument(arg: Arg) -> str:
        match arg:
            case In(i):
                return buffer(f"in_{i}", step.inputs[i], "const ")
            case Out(i):
                return buffer(output_name(case, i), step.outputs[i], "")
            case Scratch():
                return f"(void *)({prefix}scratch + {GUARD_BYTES})"
            case ConstRef(i):
                return f"{prefix}const_{i}"
            case Int(name, value):
                return f"{value} /* {name} */"
            case Float(name, number):
                return f"{number!r}f /* {name} */"
            case Ints(_, values):
                return f"(const int32_t[]){{{','.join(map(str, values))}}}"
            case _:
                raise NotImplementedError(type(arg).__name__)

    call = ", ".join(argument(a) for a in step.args)
    return text + f"__attribute__((noinline)) void {prefix}run(void) {{ {step.kernel}({call}); }}\n"
