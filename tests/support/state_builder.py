"""Variables for :class:`~tests.support.tflite_builder.Builder`: handles, first values, reading and assigning."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.support.tflite_builder import Array, Builder, Value


class StatefulBuilder(Builder):
    """A model with variables, whose first values are in a subgraph of their own."""

    def __init__(self) -> None:
        super().__init__()
        self._initial: list[tuple[str, int, Array, float, int]] = []
        self._handles: dict[str, int] = {}

    def variable(self, name: str, initial: Array, *, scale: float, zero_point: int) -> None:
        """Declare an int8 variable; before it is read or assigned."""
        self._handles[name] = self._handle(name)
        self._initial.append((name, len(self._initial), np.asarray(initial, np.int8), scale, zero_point))

    def read(self, name: str) -> int:
        """READ_VARIABLE."""
        _, _, initial, scale, zero_point = next(one for one in self._initial if one[0] == name)
        output = self.tensor(initial.shape, scale=scale, zero_point=zero_point)
        return self.op("READ_VARIABLE", [self._handles[name]], [output], "ReadVariableOptions")

    def assign(self, name: str, value: int) -> None:
        """ASSIGN_VARIABLE."""
        unused = [-1]
        self.op("ASSIGN_VARIABLE", [self._handles[name], value], unused, "AssignVariableOptions")
        self._graph.operators[-1].outputs = []

    def build(self, outputs: list[int]) -> bytes:  # type: ignore[override]
        """The file's bytes, with CALL_ONCE first."""
        main = self._graph
        first = schema.SubGraphT()
        first.name, first.tensors, first.operators, first.inputs, first.outputs = "first_values", [], [], [], []
        self._graph = first
        values, self.values = self.values, []
        for name, _, initial, scale, zero_point in self._initial:
            handle = self._handle(name)
            value = self.constant(initial, scale=scale, zero_point=zero_point)
            self.op("ASSIGN_VARIABLE", [handle, value], [-1], "AssignVariableOptions")
            first.operators[-1].outputs = []
        self._graph, self.values = main, values
        self._model.subgraphs = [main, first]
        self.op("CALL_ONCE", [], [-1], "CallOnceOptions", initSubgraphIndex=1)
        main.operators[-1].outputs = []
        main.operators.insert(0, main.operators.pop())
        return super().build(outputs)

    def _handle(self, name: str) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [], schema.TensorType.RESOURCE, 0
        self._graph.tensors.append(tensor)
        index = len(self._graph.tensors) - 1
        self.values.append(Value((), "resource", 0.0, 0))
        return self.op("VAR_HANDLE", [], [index], "VarHandleOptions", container="", sharedName=name)
