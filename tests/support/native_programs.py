"""Runs whole small programs on this machine without generating C: step by step, through :class:`NativeKernels`.

What one run leaves in a network's variables goes into the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.host_build import input_limits_of_graph, random_inputs
from tests.support.native_kernels import NativeKernels
from tinyml.lower.lowering import lower
from tinyml.lower.ops.state import states
from tinyml.lower.program import Isa, Program, Target
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

Array = npt.NDArray[Any]


class NativeProgram:
    """A program and the bytes of its tensors, each storage tensor in a place of its own."""

    def __init__(self, program: Program, native: NativeKernels) -> None:
        self._program, self._native = program, native
        graph = program.graph
        owners = {program.storage(t) for t, found in enumerate(graph.tensors) if not found.is_constant}
        self._bytes = {owner: np.zeros(graph.tensors[owner].size_bytes, np.uint8) for owner in owners}
        for tensor, initial in states(program):
            self._bytes[tensor][:] = np.frombuffer(initial, np.uint8)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs of one run."""
        graph = self._program.graph
        for tensor, array in zip(graph.inputs, inputs, strict=True):
            self._place(tensor)[:] = np.frombuffer(array.tobytes(), np.uint8)
        for step in self._program.steps:
            before = {i: self._place(t).copy() for i, t in enumerate(step.outputs)}
            made = self._native.run(graph, step, [self._value(t) for t in step.inputs], before)
            for tensor, array in zip(step.outputs, made, strict=True):
                self._place(tensor)[:] = np.frombuffer(array.tobytes(), np.uint8)
        return [self._value(t) for t in graph.outputs]

    def _place(self, tensor: int) -> Array:
        start = self._program.alias_offsets.get(tensor, 0)
        owner = self._bytes[self._program.storage(tensor)]
        return owner[start : start + self._program.graph.tensors[tensor].size_bytes]

    def _value(self, tensor: int) -> Array:
        found = self._program.graph.tensors[tensor]
        return self._place(tensor).copy().view(found.dtype.numpy).reshape(found.shape)


def prove_programs(models: Sequence[bytes], native: NativeKernels, count: int = 1) -> None:
    """Each model on extreme and ``count`` random inputs; every byte of every output has to be the reference's."""
    for index, model in enumerate(models):
        reference = Reference(model)
        graph = reference.graph
        program = NativeProgram(lower(graph, Target(Isa.PORTABLE)), native)
        inputs = [graph.tensors[t] for t in graph.inputs]
        for arrays in random_inputs(inputs, count, index, input_limits_of_graph(graph)):
            assert_alike(program.run(arrays), reference.run(arrays), f"model {index} ({graph.ops[0]})")


def prove_in_turn(models: Sequence[bytes], native: NativeKernels, runs: int = 4) -> None:
    """The same of models with variables, over several runs one after the other."""
    for index, model in enumerate(models):
        graph = read_graph(model)
        program = NativeProgram(lower(graph, Target(Isa.PORTABLE)), native)
        inputs = random_inputs([graph.tensors[t] for t in graph.inputs], runs, index)[3:]
        for number, (arrays, wanted) in enumerate(zip(inputs, in_turn(model, inputs), strict=True)):
            assert_alike(program.run(arrays), wanted, f"model {index}, run {number} ({graph.ops[0]})")


def in_turn(model: bytes, inputs: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """The outputs of LiteRT's reference kernels over runs one after the other."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter: Any = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    outputs = []
    for arrays in inputs:
        for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        outputs.append([interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()])
    return outputs


def assert_alike(got: Sequence[Array], wanted: Sequence[Array], where: str) -> None:
    """Every byte is equal; otherwise says how many elements are not, and the first of them."""
    for left, right in zip(got, wanted, strict=True):
        assert left.nbytes == right.nbytes, where
        if left.tobytes() != right.tobytes():
            wrong = np.flatnonzero(left.ravel() != right.ravel())
            raise AssertionError(
                f"{where}: {len(wrong)} of {right.size} differ, at {wrong[:6].tolist()}"
                f" {left.ravel()[wrong[:6]].tolist()} for {right.ravel()[wrong[:6]].tolist()}"
            )
