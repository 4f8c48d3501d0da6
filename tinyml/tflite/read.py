"""Reads a ``.tflite`` file into a :class:`~tinyml.graph.ir.Graph`.

Whatever the file holds, the answer is a graph whose every fact has been checked or an
:class:`~tinyml.errors.UnsupportedError` with a hint: see :mod:`tinyml.tflite.flatbuffer` for the bounds.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyml.errors import UnsupportedError, UsageError
from tinyml.graph.check import check_health, check_supported
from tinyml.graph.ir import ABSENT, DType, Graph, Op, Rounding, Tensor
from tinyml.graph.ops.state import VariableAttrs
from tinyml.tflite.context import Context
from tinyml.tflite.flatbuffer import (
    DAMAGE,
    MAX_FILE_BYTES,
    MAX_OPERATORS,
    MAX_TENSORS,
    Budget,
    damaged,
    numbers,
    tables,
    text,
)
from tinyml.tflite.labels import read_labels
from tinyml.tflite.lstm import LSTM, lstm_ops
from tinyml.tflite.names import layer_name, unique_names
from tinyml.tflite.ops import MANY_OUTPUTS, PARSERS, parse
from tinyml.tflite.tensors import TensorReader
from tinyml.tflite.variables import STATE_KINDS, Variables, read_variables

ROUNDINGS = {"litert": Rounding.SINGLE, "tflm": Rounding.DOUBLE}
"""How FULLY_CONNECTED rounds in the runtime to be matched: LiteRT 2.x, or TFLM and tflite-runtime 2.14."""

_KINDS: dict[int, str] = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
_QUANTIZE_HINT = "convert the model to full-integer int8 with representative data: tinyml quantize"


def read_graph(source: Path | bytes, *, name: str | None = None, match: str = "litert") -> Graph:
    """The network in a ``.tflite`` file or in its bytes, checked: every op is supported.

    ``name`` is the graph's name (the file's stem where not given). ``match`` names the runtime whose rounding the
    network is to have, a key of :data:`ROUNDINGS`. Raises UsageError where the file cannot be read or ``match`` is
    unknown, UnsupportedError for anything that the file holds and the compiler does not take.
    """
    if match not in ROUNDINGS:
        raise UsageError(f"there is no runtime {match!r} to match", hint=f"use one of: {', '.join(ROUNDINGS)}")
    data = source if isinstance(source, bytes) else _load(source)
    graph_name = name or ("model" if isinstance(source, bytes) else source.stem)
    try:
        graph = _parse(data, graph_name, ROUNDINGS[match])
    except DAMAGE as error:
        raise damaged(f"an offset or a length in it points outside ({type(error).__name__})") from error
    check_health(graph)
    check_supported(graph)
    return graph


def _load(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UnsupportedError(
                f"{path.name} has {path.stat().st_size} bytes, the limit is {MAX_FILE_BYTES}",
                hint="models for microcontrollers are far smaller: check that this is the right file",
            )
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check the path and its permissions") from error


def _parse(data: bytes, name: str, rounding: Rounding) -> Graph:
    if len(data) > MAX_FILE_BYTES:
        raise UnsupportedError(f"the model has {len(data)} bytes, the limit is {MAX_FILE_BYTES}", hint="use a smaller")
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise UnsupportedError("this is not a .tflite file", hint="give a .tflite, a .keras file or a catalogue name")
    model = schema.Model.GetRootAs(data, 0)
    if int(model.Version()) != 3:
        raise UnsupportedError(f"the file has the schema version {model.Version()}", hint="version 3 is supported")
    budget = Budget(len(data))
    subgraphs = tables(model, "Subgraphs", budget, "subgraphs", 1000)
    if not subgraphs:
        raise damaged("it has no subgraph")
    kinds = [_kind(code) for code in tables(model, "OperatorCodes", budget, "operator codes", 1000)]
    main = subgraphs[0]
    operators = tables(main, "Operators", budget, "operators", MAX_OPERATORS)
    if not operators:
        raise UnsupportedError("the model has no operators", hint="there is nothing to compile in it")
    reader = TensorReader(
        tables(model, "Buffers", budget, "buffers", 2 * MAX_TENSORS),
        tables(main, "Tensors", budget, "tensors", MAX_TENSORS),
        budget,
    )
    if any(not 0 <= int(operator.OpcodeIndex()) < len(kinds) for operator in operators):
        raise damaged(f"an operator names a code beyond the {len(kinds)} of the file")
    parser = _GraphParser(reader, budget, rounding, read_variables(model, operators, kinds, budget))
    ops = parser.operators(operators, kinds)
    inputs, outputs = parser.border(main, "Inputs"), parser.border(main, "Outputs")
    graph = Graph(
        name=name,
        tensors=tuple(parser.tensors),
        ops=tuple(ops),
        inputs=inputs,
        outputs=outputs,
        source_tensors=tuple(parser.numbers),
        labels=read_labels(data, parser.tensors[outputs[0]].shape[-1] if parser.tensors[outputs[0]].shape else 0),
        metadata=_metadata(data, model),
    )
    _check_integer(graph)
    return graph


def _metadata(data: bytes, model: Any) -> tuple[tuple[str, str], ...]:
    digest = ("sha256", hashlib.sha256(data).hexdigest())
    return (digest, ("description", text(model.Description()))) if model.Description() else (digest,)


def _kind(code: Any) -> str:
    number = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
    if number == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM {text(code.CustomCode())[:80]!r}"
    return _KINDS.get(number, f"operator {number}")


class _GraphParser:
    """Numbers the tensors that operators and the graph's border use, in order of first use, and reads each once."""

    def __init__(self, reader: TensorReader, budget: Budget, rounding: Rounding, variables: Variables) -> None:
        self.tensors: list[Tensor] = []
        self.numbers: list[int] = []
        self._new_index: dict[int, int] = {}
        self._reader = reader
        self._budget = budget
        self._rounding = rounding
        self._variables = variables

    def index(self, file_index: int, where: str) -> int:
        """The graph's index of a tensor of the file."""
        if not 0 <= file_index < len(self._reader):
            raise damaged(f"{where} names tensor {file_index} of {len(self._reader)}")
        if file_index not in self._new_index:
            self._new_index[file_index] = len(self.tensors)
            self.tensors.append(self._reader.read(file_index))
            self.numbers.append(file_index)
        return self._new_index[file_index]

    def border(self, subgraph: Any, field: str) -> tuple[int, ...]:
        """The graph's inputs or outputs."""
        what = f"the list of the graph's {field.lower()}"
        indices = numbers(subgraph, field, self._budget, np.int32, what).tolist()
        if not indices:
            raise UnsupportedError(f"the graph has no {field.lower()}", hint="export it with inputs and outputs")
        return tuple(self.index(i, what) for i in indices)

    def operators(self, operators: list[Any], kinds: list[str]) -> list[Op]:
        """All operators; raises UnsupportedError that names every unsupported kind at once."""
        codes = [int(operator.OpcodeIndex()) for operator in operators]
        unknown = {kinds[code] for code in codes if kinds[code] not in PARSERS.keys() | STATE_KINDS | {LSTM}}
        if unknown:
            raise UnsupportedError(
                f"{len(unknown)} kind{'s' * (len(unknown) > 1)} of op not supported: {', '.join(sorted(unknown)[:20])}",
                hint="docs/supported-ops.md lists the ops that are; replace the layers that make these",
            )
        ops = [op for i, operator in enumerate(operators) for op in self._operator(i, operator, kinds[codes[i]])]
        _check_readings(ops)
        ops.sort(key=lambda op: op.kind == "ASSIGN_VARIABLE")
        names = unique_names(layer_name(op.kind, self.tensors[op.outputs[0]].name) for op in ops)
        return [
            Op(op.kind, name, op.inputs, op.outputs, op.attrs, op.source_index)
            for op, name in zip(ops, names, strict=True)
        ]

    def _variable(self, index: int, kind: str, inputs: list[int], outputs: list[int], where: str) -> list[Op]:
        """Handles and first values are attributes; an assignment gets an output, the variable's next value."""
        if kind not in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
            return []
        reads = kind == "READ_VARIABLE"
        if (len(inputs), len(outputs)) != ((1, 1) if reads else (2, 0)):
            raise damaged(f"{where} has {len(inputs)} inputs and {len(outputs)} outputs")
        name = self._variables.name(inputs[0], where)
        attrs = VariableAttrs(name, self._variables.initial[name])
        if reads:
            return [Op(kind, "", (), (self.index(outputs[0], where),), attrs, index)]
        value = self.index(inputs[1], where)
        following = self._added(replace(self.tensors[value], name=f"{name} next", data=None))
        return [Op(kind, "", (value,), (following,), attrs, index)]

    def _added(self, tensor: Tensor) -> int:
        """The graph's index of a tensor that the file does not have."""
        self.tensors.append(tensor)
        self.numbers.append(-1)
        return len(self.tensors) - 1

    def _state(self, file_index: int) -> Tensor:
        """A tensor that an op keeps, or that only says how something is quantised."""
        if not 0 <= file_index < len(self._reader):
            raise damaged(f"an operator names tensor {file_index} of {len(self._reader)}")
        return self._reader.read(file_index, state=True)

    def _operator(self, index: int, operator: Any, kind: str) -> list[Op]:
        where = f"operator {index} ({kind})"
        inputs = numbers(operator, "Inputs", self._budget, np.int32, f"{where}'s inputs").tolist()
        outputs = numbers(operator, "Outputs", self._budget, np.int32, f"{where}'s outputs").tolist()
        if kind == LSTM:
            return lstm_ops(where, index, operator, inputs, outputs, self._budget, self.index, self._state, self._added)
        if kind in STATE_KINDS:
            return self._variable(index, kind, inputs, outputs, where)
        if not inputs or not outputs or (len(outputs) > 1 and kind not in MANY_OUTPUTS):
            raise damaged(f"{where} has {len(inputs)} inputs and {len(outputs)} outputs")
        indices = tuple(ABSENT if i == ABSENT else self.index(i, where) for i in inputs)
        made = [self.index(i, where) for i in outputs]
        context = Context(
            where=where,
            operator=operator,
            inputs=tuple(None if i == ABSENT else self.tensors[i] for i in indices),
            outputs=tuple(self.tensors[i] for i in made),
            rounding=self._rounding,
        )
        ops = []
        for position, output in enumerate(made):
            attrs, kept = parse(kind, replace(context, position=position, taken=set()), indices)
            ops.append(Op(kind, "", kept, (output,), attrs, index))
        return ops


def _check_readings(ops: list[Op]) -> None:
    """Raise UnsupportedError for a variable that is read after it was assigned: assignments go to the end."""
    assigned = set()
    for op in ops:
        if not isinstance(op.attrs, VariableAttrs):
            continue
        if op.kind == "ASSIGN_VARIABLE":
            assigned.add(op.attrs.name)
        elif op.attrs.name in assigned:
            raise UnsupportedError(
                f"the variable {op.attrs.name[:80]!r} is read after it was assigned",
                hint="use the value that was assigned to it",
            )


def _check_integer(graph: Graph) -> None:
    """Raise UnsupportedError, in the words of its author, for a model that is not full-integer int8."""
    for op in graph.ops:
        if op.kind in ("QUANTIZE", "DEQUANTIZE", "READ_VARIABLE", LSTM):
            continue
        tensors = [graph.tensors[i] for i in (*op.inputs, *op.outputs) if i != ABSENT]
        dtypes = {t.dtype for t in tensors}
        if DType.FLOAT32 in dtypes:
            weights = any(t.is_constant and t.dtype is DType.INT8 for t in tensors)
            what = "has int8 weights but float activations (dynamic range)" if weights else "computes in float"
            raise UnsupportedError(f"layer {op.name!r} ({op.kind}) {what}", hint=_QUANTIZE_HINT)
        if DType.UINT8 in dtypes:
            raise UnsupportedError(
                f"layer {op.name!r} ({op.kind}) computes in uint8, TFLite's quantisation of before 2020",
                hint=_QUANTIZE_HINT,
            )
        if DType.INT16 in dtypes:
            raise UnsupportedError(f"layer {op.name!r} ({op.kind}) has int16 activations", hint=_QUANTIZE_HINT)
