"""The comparison names the first tensor that differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tinyml.emulate.compare import compare
from tinyml.emulate.result import Emulation
from tinyml.errors import BuildError
from tinyml.graph.ir import DType, Graph, Op, Quant, Tensor
from tinyml.graph.ops.base import Attrs

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Inputs:
    name: str
    arrays: tuple[Array, ...]


class Doubling:
    """The oracle: tensor 10 is the input, 11 twice it, 12 (the output) twice that."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [self.trace(inputs)[12]]

    def trace(self, inputs: Sequence[Array]) -> Mapping[int, Array]:
        x = inputs[0]
        return {10: x, 11: (2 * x).astype(np.int8), 12: (4 * x).astype(np.int8)}


def graph() -> Graph:
    quant = Quant((0.5,), (0,))
    tensors = tuple(Tensor(name, (1, 3), DType.INT8, quant) for name in ("x", "doubled", "y"))
    ops = tuple(Op("ADD", name, (i,), (i + 1,), Attrs()) for i, name in enumerate(("first", "second")))
    return Graph("g", tensors, ops, inputs=(0,), outputs=(2,), source_tensors=(10, 11, 12))


X = np.array([[1, -2, 3]], np.int8)
STIMULI = [Inputs("ramp", (X,)), Inputs("negated", (-X,))]


def emulation(outputs: list[Array], traces: list[dict[int, Array]] | None = None) -> Emulation:
    listed = [{k: v.tobytes() for k, v in trace.items()} for trace in traces or []]
    return Emulation("test", [o.tobytes() for o in outputs], "", {}, listed, None)


def test_equal() -> None:
    traces = [dict(Doubling().trace(s.arrays)) for s in STIMULI]
    result = compare(graph(), emulation([4 * X, -4 * X], traces), Doubling(), STIMULI)
    assert result.equal and result.first is None
    assert (result.inputs, result.mismatches, result.tensors) == (2, 0, 3)
    assert compare(graph(), emulation([4 * X, -4 * X]), Doubling(), STIMULI).tensors == 0


def test_an_output_that_differs() -> None:
    wrong = np.array([[-4, 8, -11]], np.int8)
    result = compare(graph(), emulation([4 * X, wrong]), Doubling(), STIMULI)
    assert not result.equal and result.mismatches == 1
    assert result.first is not None
    assert (result.first.inputs, result.first.tensor, result.first.layer) == ("negated", 12, "second")
    assert (result.first.element, result.first.got, result.first.want) == ((0, 2), -11, -12)
    assert "tensor 12 'y' (layer 'second') differs first at [0, 2]: got -11, want -12" in str(result.first)


def test_the_first_traced_tensor_that_differs_is_named() -> None:
    good, bad = dict(Doubling().trace((X,))), dict(Doubling().trace((-X,)))
    bad[11] = bad[11] + np.int8(1)
    bad[12] = bad[12] + np.int8(4)
    result = compare(graph(), emulation([4 * X, bad[12]], [good, bad]), Doubling(), STIMULI)
    assert result.mismatches == 1 and result.first is not None
    assert (result.first.tensor, result.first.layer, result.first.differing) == (11, "first", 3)


def test_a_right_output_does_not_excuse_a_wrong_trace() -> None:
    trace = dict(Doubling().trace((X,)))
    trace[11] = trace[11] + np.int8(1)
    assert compare(graph(), emulation([4 * X], [trace]), Doubling(), STIMULI[:1]).mismatches == 1


def test_floats_are_compared_by_their_bits() -> None:
    base = graph()
    tensors = (*base.tensors[:2], Tensor("y", (1, 3), DType.FLOAT32))
    floats = Graph("g", tensors, base.ops, (0,), (2,), (10, 11, 12))

    class Zero(Doubling):
        def run(self, inputs: Sequence[Array]) -> list[Array]:
            return [np.zeros((1, 3), np.float32)]

    zeros = np.zeros((1, 3), np.float32)
    assert compare(floats, emulation([zeros]), Zero(), STIMULI[:1]).equal
    assert not compare(floats, emulation([-zeros]), Zero(), STIMULI[:1]).equal


@pytest.mark.parametrize("outputs", [[], [X], [X[:, :2], X[:, :2]]])
def test_a_wrong_amount_of_output_is_an_error_of_the_firmware(outputs: list[Array]) -> None:
    with pytest.raises(BuildError):
        compare(graph(), emulation(outputs), Doubling(), STIMULI)
