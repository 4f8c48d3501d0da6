"""The C function that steps share which call the same kernel with the same numbers (:mod:`tinyml.lower.sharing`).

It takes the pointers, costs about ten instructions a step and saves a kernel's code for every repetition.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.codegen.literals import C_TYPES, c_int, wrap
from tinyml.codegen.names import c_comment
from tinyml.lower.program import Arg, ConstRef, In, Int, Out, Program, RowInt, Step
from tinyml.lower.sharing import shared_groups


@dataclass(frozen=True, slots=True)
class SharedKernel:
    """A function around one kernel call: its symbol, parameters and the call's arguments as C."""

    symbol: str
    comment: str
    parameters: str
    kernel: str
    arguments: str


def shared_kernels(program: Program, prefix: str) -> dict[int, SharedKernel]:
    """The shared function of every step that has one, by the step's index."""
    shared: dict[int, SharedKernel] = {}
    for indices in shared_groups(program):
        function = _function(program, indices, f"{prefix}_kernel_{indices[0]:03d}")
        shared.update(dict.fromkeys(indices, function))
    return shared


def _parameter_type(program: Program, step: Step, arg: Arg) -> str:
    match arg:
        case In(i):
            return f"const {C_TYPES[program.graph.tensors[step.inputs[i]].dtype.value]} *"
        case Out(i):
            return f"{C_TYPES[program.graph.tensors[step.outputs[i]].dtype.value]} *"
        case ConstRef(i):
            return f"const {C_TYPES[str(step.consts[i].data.dtype)]} *"
        case RowInt(_):
            return "int32_t "
        case _:
            return "void *"


def _function(program: Program, indices: tuple[int, ...], symbol: str) -> SharedKernel:
    step = program.steps[indices[0]]
    parameters: list[str] = []
    arguments: list[str] = []
    for arg in step.args:
        if isinstance(arg, Int):
            arguments.append(f"{c_int(arg.value)} /* {arg.name} */")
        else:
            name = f"p{len(parameters)}"
            parameters.append(f"{_parameter_type(program, step, arg)}{name}")
            arguments.append(name)
    steps = ", ".join(f"{index:03d}" for index in indices)
    comment = c_comment(f"{step.kernel} of steps {steps}")
    return SharedKernel(symbol, comment, ", ".join(parameters), step.kernel, wrap(arguments, " " * 8))
