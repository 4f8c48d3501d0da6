"""Variables of a ``.tflite`` file: which tensor is a handle of which variable, and what each holds at first.

Sources: TFLite ``kernels/var_handle.cc``, ``read_variable.cc``, ``assign_variable.cc``, ``call_once.cc``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyml.errors import UnsupportedError
from tinyml.tflite.flatbuffer import MAX_OPERATORS, MAX_TENSORS, Budget, damaged, numbers, tables, text
from tinyml.tflite.tensors import TensorReader

STATE_KINDS = frozenset({"VAR_HANDLE", "CALL_ONCE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True, slots=True)
class Variables:
    """``handles``: the variable's name by the file's index of a tensor that stands for it; ``initial``: its bytes."""

    handles: dict[int, str]
    initial: dict[str, bytes]

    def name(self, handle: int, where: str) -> str:
        """The variable of a handle; raises UnsupportedError where it has no first value."""
        name = self.handles.get(handle)
        if name is None:
            raise damaged(f"{where} reads tensor {handle}, which is no variable's handle")
        if name not in self.initial:
            raise UnsupportedError(
                f"{where}: the variable {name[:80]!r} has no value before the first run",
                hint="give it one in the model: tf.Variable(zeros), and convert with from_keras_model",
            )
        return name


def _options(operator: Any, name: str) -> Any:
    table = operator.BuiltinOptions()
    if int(operator.BuiltinOptionsType()) != getattr(schema.BuiltinOptions, name) or table is None:
        raise damaged(f"an operator has no {name}")
    options = getattr(schema, name)()
    options.Init(table.Bytes, table.Pos)
    return options


def _handles(operators: Sequence[Any], kinds: Sequence[str], budget: Budget) -> dict[int, str]:
    found = {}
    for operator in operators:
        if kinds[int(operator.OpcodeIndex())] == "VAR_HANDLE":
            options = _options(operator, "VarHandleOptions")
            outputs = numbers(operator, "Outputs", budget, np.int32, "a handle's outputs").tolist()
            if len(outputs) != 1:
                raise damaged(f"a handle of a variable has {len(outputs)} outputs")
            found[outputs[0]] = f"{text(options.Container())}/{text(options.SharedName())}"
    return found


def read_variables(model: Any, operators: Sequence[Any], kinds: Sequence[str], budget: Budget) -> Variables:
    """The variables of the main subgraph, whose ``operators`` are given; ``kinds`` are those of the file's codes."""
    initial: dict[str, bytes] = {}
    for operator in operators:
        if kinds[int(operator.OpcodeIndex())] != "CALL_ONCE":
            continue
        index = int(_options(operator, "CallOnceOptions").InitSubgraphIndex())
        if not 0 < index < model.SubgraphsLength():
            raise damaged(f"CALL_ONCE names subgraph {index} of {model.SubgraphsLength()}")
        initial |= _first_values(model, model.Subgraphs(index), kinds, budget)
    return Variables(_handles(operators, kinds, budget), initial)


def _first_values(model: Any, subgraph: Any, kinds: Sequence[str], budget: Budget) -> dict[str, bytes]:
    operators = tables(subgraph, "Operators", budget, "operators", MAX_OPERATORS)
    if any(not 0 <= int(operator.OpcodeIndex()) < len(kinds) for operator in operators):
        raise damaged(f"an operator names a code beyond the {len(kinds)} of the file")
    reader = TensorReader(
        tables(model, "Buffers", budget, "buffers", 2 * MAX_TENSORS),
        tables(subgraph, "Tensors", budget, "tensors", MAX_TENSORS),
        budget,
    )
    handles, values = _handles(operators, kinds, budget), {}
    for operator in operators:
        kind = kinds[int(operator.OpcodeIndex())]
        if kind == "VAR_HANDLE":
            continue
        inputs = numbers(operator, "Inputs", budget, np.int32, "inputs").tolist()
        if kind != "ASSIGN_VARIABLE" or len(inputs) != 2 or inputs[0] not in handles:
            raise UnsupportedError(
                f"the model computes first values of its variables with {kind}", hint="give them constant first values"
            )
        if not 0 <= inputs[1] < len(reader):
            raise damaged(f"ASSIGN_VARIABLE names tensor {inputs[1]} of {len(reader)}")
        data = reader.read(inputs[1]).data
        if data is None:
            raise UnsupportedError("a variable's first value is no constant", hint="give it a constant one")
        values[handles[inputs[0]]] = data.tobytes()
    return values
