"""What the templates print: the program and its plan as plain strings and numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyml.codegen.literals import C_TYPES, array_body, c_float, c_int, wrap
from tinyml.codegen.names import c_comment
from tinyml.codegen.rows import parameters
from tinyml.codegen.sharing import SharedKernel, shared_kernels
from tinyml.graph.ir import Graph, Tensor
from tinyml.lower.program import (
    Arg,
    Const,
    ConstRef,
    Float,
    In,
    Int,
    Ints,
    Out,
    Pointers,
    Program,
    RowInt,
    Scratch,
    Step,
    const_key,
)
from tinyml.plan.planner import Plan


@dataclass(frozen=True, slots=True)
class Border:
    """An input or output of the network: C type, element and byte counts, place in the arena, quantisation."""

    index: int
    name: str
    c_type: str
    shape: str
    elements: int
    size_bytes: int
    offset: int
    scale: str
    zero_point: str


@dataclass(frozen=True, slots=True)
class Array:
    """A constant in flash."""

    name: str
    c_type: str
    elements: int
    align_bytes: int
    comment: str
    body: str


@dataclass(frozen=True, slots=True)
class Traced:
    """A tensor that the trace reports: index in the file, place in the arena, size."""

    source_tensor: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Call:
    """One step: its function, what the comment says, local arrays, the call's arguments, what it traces."""

    symbol: str
    comment: str
    parameters: str
    locals: tuple[str, ...]
    kernel: str
    arguments: str
    traced: tuple[Traced, ...]


def dims(shape: tuple[int, ...]) -> str:
    """A shape for people: ``1x49x10x1``, ``scalar`` where there is no dimension."""
    return "x".join(map(str, shape)) or "scalar"


def border(graph: Graph, plan: Plan, index: int, tensor_index: int) -> Border:
    """The view of input or output number ``index``."""
    tensor = graph.tensors[tensor_index]
    quantised = tensor.quant is not None and not tensor.quant.per_channel
    return Border(
        index=index,
        name=c_comment(tensor.name),
        c_type=C_TYPES[tensor.dtype.value],
        shape=", ".join(map(str, tensor.shape)) or "1",
        elements=tensor.elements,
        size_bytes=tensor.size_bytes,
        offset=plan.offsets[tensor_index],
        scale=c_float(tensor.scale) if quantised else "",
        zero_point=c_int(tensor.zero_point) if quantised else "",
    )


def array_names(program: Program, prefix: str) -> dict[tuple[str, tuple[int, ...], bytes], str]:
    """A name for every distinct constant, from the first step that uses it."""
    names: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    for index, step in enumerate(program.steps):
        for const in step.consts:
            names.setdefault(const_key(const), f"{prefix}_{const.suffix}_{index:03d}")
    return names


def arrays(program: Program, names: dict[tuple[str, tuple[int, ...], bytes], str]) -> list[Array]:
    """The constants in order of first use; one that several steps share has the strictest of their alignments."""
    found: dict[str, tuple[Const, Step]] = {}
    aligns: dict[str, int] = {}
    for step in program.steps:
        for const in step.consts:
            name = names[const_key(const)]
            found.setdefault(name, (const, step))
            aligns[name] = max(aligns.get(name, 1), const.align_bytes)
    return [
        Array(
            name=name,
            c_type=C_TYPES[str(const.data.dtype)],
            elements=int(const.data.size),
            align_bytes=aligns[name],
            comment=c_comment(f"{const.suffix} of {step.name}: {dims(const.data.shape)}, {const.size_bytes} bytes"),
            body=array_body(np.ascontiguousarray(const.data)),
        )
        for name, (const, step) in found.items()
    ]


def completed(program: Program) -> dict[int, list[int]]:
    """Tensors that steps make in parts and no step whole, by the last of these steps."""
    made = {t for step in program.steps for t in step.outputs}
    parts = ((i, t) for i, step in enumerate(program.steps) for t in step.outputs if t in program.alias_of)
    last = {program.storage(t): i for i, t in parts}
    found: dict[int, list[int]] = {}
    for tensor, index in last.items():
        if tensor not in made:
            found.setdefault(index, []).append(tensor)
    return found


class CallBuilder:
    """Turns steps into calls."""

    def __init__(self, program: Program, plan: Plan, prefix: str, names: dict[Any, str]) -> None:
        self._program = program
        self._graph = program.graph
        self._plan = plan
        self._prefix = prefix
        self._names = names
        self._shared = shared_kernels(program, prefix)
        self._aliases: dict[int, list[int]] = {}
        made = {t for step in program.steps for t in step.outputs}
        for alias, storage in program.alias_of.items():
            if alias not in made:
                self._aliases.setdefault(storage, []).append(alias)
        self._completed = completed(program)

    def call(self, index: int) -> Call:
        """The call of step ``index``."""
        return self._call(self._program.steps[index], index, self._shared.get(index), "")

    def last_calls(self) -> dict[int, Call]:
        """The calls for rows that are left over at the end, by step."""
        steps = enumerate(self._program.steps)
        return {i: self._call(step.last, i, None, "_last") for i, step in steps if step.last is not None}

    def _call(self, step: Step, index: int, shared: SharedKernel | None, suffix: str) -> Call:
        pieces: list[str] = []
        declared: list[str] = []
        for arg in step.args:
            if shared is not None and isinstance(arg, Int):
                continue
            pieces.append(self._argument(arg, step, index))
            declared.extend(self._local(arg, step))
        return Call(
            symbol=f"{self._prefix}_step_{index:03d}{suffix}",
            comment=self._comment(step, index),
            parameters=parameters(self._program, step, C_TYPES) if step.rows else "void",
            locals=tuple(declared),
            kernel=step.kernel if shared is None else shared.symbol,
            arguments=wrap(pieces, " " * 8),
            traced=self.traced((*step.outputs, *self._completed.get(index, ()))),
        )

    @property
    def shared(self) -> list[SharedKernel]:
        """The functions that several steps call, in the order of their first use."""
        return list(dict.fromkeys(self._shared[index] for index in sorted(self._shared)))

    def traced(self, tensors: tuple[int, ...]) -> tuple[Traced, ...]:
        """Those of ``tensors``, each followed by its aliases, that the file has."""
        return self._traced(i for tensor in tensors for i in (tensor, *self._aliases.get(tensor, ())))

    def traced_aliases(self, tensors: tuple[int, ...]) -> tuple[Traced, ...]:
        """The aliases alone: of tensors that are traced by rows."""
        return self._traced(i for tensor in tensors for i in self._aliases.get(tensor, ()))

    def _traced(self, tensors: Iterable[int]) -> tuple[Traced, ...]:
        found = []
        for index in tensors:
            if index in self._program.apart:
                continue
            source = self._graph.source_tensors[index] if index < len(self._graph.source_tensors) else -1
            if source >= 0:
                found.append(Traced(source, self._plan.offsets[index], self._graph.tensors[index].size_bytes))
        return tuple(found)

    def _comment(self, step: Step, index: int) -> str:
        inputs = " + ".join(dims(self._graph.tensors[t].shape) for t in step.inputs)
        outputs = " + ".join(dims(self._graph.tensors[t].shape) for t in step.outputs)
        work = f", {step.macs} MACs" if step.macs else ""
        work += f", {step.rows.count} rows a call" if step.rows and not step.rows.reduces else ""
        why = f" ({step.reason})" if step.reason else ""
        return c_comment(f"{index:03d} {step.name}: {step.kind} {inputs} -> {outputs}{work}; {step.kernel}{why}")

    def _tensor(self, tensor_index: int, qualifier: str) -> str:
        tensor: Tensor = self._graph.tensors[tensor_index]
        c_type = C_TYPES[tensor.dtype.value]
        return f"{self._prefix.upper()}_AT({qualifier}{c_type}, {self._plan.offsets[tensor_index]})"

    def _argument(self, arg: Arg, step: Step, index: int) -> str:
        match arg:
            case In(i) if step.rows is not None and i in step.rows.positions:
                return f"x{i}"
            case Out(_) if step.rows is not None:
                return "y"
            case In(i):
                return self._tensor(step.inputs[i], "const ")
            case Out(i):
                return self._tensor(step.outputs[i], "")
            case Scratch():
                if step.scratch_bytes == 0:
                    return "0"
                return f"{self._prefix.upper()}_AT(void, {self._plan.scratch_offsets[index]})"
            case ConstRef(i):
                return self._names[const_key(step.consts[i])]
            case Int(name, value):
                return f"{c_int(value)} /* {name} */"
            case Float(name, value):
                return f"{c_float(value)} /* {name} */"
            case Ints(name) | Pointers(name) | RowInt(name):
                return name

    def _local(self, arg: Arg, step: Step) -> list[str]:
        if isinstance(arg, Ints):
            values = ", ".join(map(c_int, arg.values))
            return [f"static const int32_t {arg.name}[{len(arg.values)}] = {{{values}}};"]
        if isinstance(arg, Pointers):
            items = ",\n".join(f"        {self._argument(item, step, -1)}" for item in arg.items)
            return [f"const void *const {arg.name}[{len(arg.items)}] = {{\n{items},\n    }};"]
        return []
