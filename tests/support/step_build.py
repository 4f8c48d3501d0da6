"""Runs one lowered step on its own: its C call with its constants, on a core in Unicorn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.core_build import Machine, compile_core
from tinyml.graph.ir import Graph
from tinyml.lower.program import Arg, Const, ConstRef, Float, In, Int, Ints, Out, Scratch, Step

_C_TYPES = {"i1": "int8_t", "u1": "uint8_t", "i2": "int16_t", "u2": "uint16_t", "i4": "int32_t", "u4": "uint32_t"}
_GUARD_BYTES = 64
_GUARD = 0xA5


@dataclass(frozen=True, slots=True)
class StepRun:
    """What came out of a step and what it took."""

    outputs: list[npt.NDArray[Any]]
    instructions: int
    code_bytes: int


def c_type(data: npt.NDArray[Any]) -> str:
    """The C type of an array's elements."""
    return _C_TYPES[data.dtype.str[1:]]


def _const_text(name: str, const: Const) -> str:
    values = ",".join(str(v) if v > -(2**31) else "(-2147483647 - 1)" for v in const.data.ravel().tolist())
    return f"static const {c_type(const.data)} {name}[] __attribute__((aligned(8))) = {{{values}}};\n"


def step_source(graph: Graph, step: Step, in_place: bool) -> str:
    """C with buffers ``in_0``, ``out_0`` … and ``scratch``, each between guard bytes, and a function ``run``."""
    text = f'#include <stdint.h>\n#include <string.h>\n#include "{step.header}"\n'
    for index, const in enumerate(step.consts):
        text += _const_text(f"const_{index}", const)
    sizes = {f"in_{i}": graph.tensor(t).size_bytes for i, t in enumerate(step.inputs)}
    sizes |= {f"out_{i}": graph.tensor(t).size_bytes for i, t in enumerate(step.outputs)}
    sizes["scratch"] = step.scratch_bytes
    for name, size in sizes.items():
        text += f"uint8_t {name}[{size + 2 * _GUARD_BYTES}] __attribute__((aligned(16)));\n"

    def argument(arg: Arg) -> str:
        match arg:
            case In(i):
                kind = c_type(np.empty(0, graph.tensor(step.inputs[i]).dtype.numpy))
                return f"(const {kind} *)(const void *)(in_{i} + {_GUARD_BYTES})"
            case Out(i):
                kind = c_type(np.empty(0, graph.tensor(step.outputs[i]).dtype.numpy))
                return f"({kind} *)(void *)({'in' if in_place else 'out'}_{i} + {_GUARD_BYTES})"
            case Scratch():
                return f"(void *)(scratch + {_GUARD_BYTES})"
            case ConstRef(i):
                return f"const_{i}"
            case Int(name, value):
                return f"{value} /* {name} */"
            case Float(name, value):
                return f"{value!r}f /* {name} */"
            case Ints(_, values):
                return f"(const int32_t[]){{{','.join(map(str, values))}}}"
            case _:
                raise NotImplementedError(type(arg).__name__)

    call = ", ".join(argument(a) for a in step.args)
    return text + f"__attribute__((noinline)) void run(void) {{ {step.kernel}({call}); }}\n"


def run_step(
    graph: Graph,
    step: Step,
    inputs: list[npt.NDArray[Any]],
    core: str,
    directory: Path,
    *,
    compiler: str = "gcc",
    optimise: str = "-O3",
    in_place: bool = False,
    count: bool = False,
) -> StepRun:
    """Run ``step`` once; fails where a byte outside of its buffers was written."""
    names = [f"in_{i}" for i in range(len(step.inputs))] + [f"out_{i}" for i in range(len(step.outputs))] + ["scratch"]
    source, entries = step_source(graph, step, in_place), ("run", *names)
    elf = compile_core(source, core, directory, entries=entries, compiler=compiler, optimise=optimise)
    machine = Machine(elf, core)
    guard = bytes([_GUARD]) * _GUARD_BYTES
    for name in names:
        machine.write(name, bytes([_GUARD]) * machine.size(name))
    for index, array in enumerate(inputs):
        machine.write(f"in_{index}", array.tobytes(), _GUARD_BYTES)
    if count:
        instructions = machine.count("run")
    else:
        machine.call("run")
        instructions = 0
    for name in names:
        end = machine.size(name) - _GUARD_BYTES
        assert machine.read(name, _GUARD_BYTES) == guard, f"bytes before {name} were written"
        assert machine.read(name, _GUARD_BYTES, end) == guard, f"bytes after {name} were written"
    outputs = []
    for index, tensor in enumerate(step.outputs):
        info = graph.tensor(tensor)
        data = machine.read(f"{'in' if in_place else 'out'}_{index}", info.size_bytes, _GUARD_BYTES)
        outputs.append(np.frombuffer(data, info.dtype.numpy).reshape(info.shape))
    return StepRun(outputs, instructions, machine.size("run"))
