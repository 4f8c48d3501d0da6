"""Several functions of one value as one table: the same bytes as one op behind the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import Prove, model
from tests.support import arithmetic_builder as add
from tests.support.tflite_builder import Builder
from tinyml.graph.ops import LookupAttrs
from tinyml.lower.fuse import fuse
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

RANDOM, SWEEP = 100, 2000


def every(b: Builder, draw: Draw) -> int:
    """An input of 256 values."""
    return b.input((1, 256), scale=draw.scale(0.01, 0.2), zero_point=draw.zero_point())


def swish(draw: Draw) -> bytes:
    def build(b: Builder) -> int:
        x = every(b, draw)
        pair = [x, b.logistic(x)]
        options: dict[str, Any] = {"scale": draw.scale(0.01, 0.2), "zero_point": draw.zero_point()}
        return b.binary("MUL", *(pair if draw.flag() else pair[::-1]), **options)

    return model(build)


def chain(draw: Draw) -> bytes:
    """Activations, constants and squares one behind the other."""

    def build(b: Builder) -> int:
        x = every(b, draw)
        for _ in range(draw.size(4, 2)):
            options: dict[str, Any] = {"scale": draw.scale(0.01, 0.3), "zero_point": draw.zero_point()}
            number = b.constant(draw.bytes(1), scale=draw.scale(0.01, 0.1), zero_point=draw.zero_point())
            activation = draw.pick("NONE", "RELU6")
            match draw.size(6):
                case 1:
                    x = b.logistic(x)
                case 2:
                    x = add.curve(b, "GELU", x, **options)
                case 3:
                    x = b.elementwise("RELU6", x, **options)
                case 4:
                    x = b.binary(draw.pick("ADD", "SUB", "MUL"), x, number, activation=activation, **options)
                case 5:
                    x = b.binary(draw.pick("ADD", "SUB"), number, x, activation=activation, **options)
                case _:
                    x = b.binary("MUL", x, x, **options)
        return x

    return model(build)


def kinds(data: bytes) -> list[str]:
    return [step.kind for step in lower(read_graph(data), Target(Isa.PORTABLE)).steps]


def prove_tables(make: Callable[[Draw], bytes], seeds: range) -> None:
    values = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    for seed in seeds:
        reference = Reference(make(Draw(seed)))
        (op,) = fuse(reference.graph).ops
        assert isinstance(op.attrs, LookupAttrs) and len(op.attrs.kinds) == len(reference.graph.ops)
        assert list(op.attrs.table) == reference.run([values])[0].ravel().tolist(), (seed, op.attrs.kinds)


@pytest.mark.parametrize("make", [swish, chain])
def test_functions_of_one_value_are_one_table(make: Callable[[Draw], bytes]) -> None:
    prove_tables(make, range(RANDOM))


@pytest.mark.sweep
@pytest.mark.parametrize("make", [swish, chain])
def test_sweep(make: Callable[[Draw], bytes]) -> None:
    prove_tables(make, range(10_000, 10_000 + SWEEP))


def test_generated_c(prove: Prove) -> None:
    models = [make(Draw(seed)) for make in (swish, chain) for seed in range(2)]
    assert all(kinds(data) == ["LOOKUP"] for data in models)
    prove(models)


def test_what_something_else_reads_stays(prove: Prove) -> None:
    def shared(b: Builder) -> list[int]:
        x = every(b, Draw(1))
        y = b.logistic(x)
        return [b.binary("MUL", x, y), b.tanh(y)]

    def by_channel(b: Builder) -> int:
        x = b.input((1, 3, 3, 4))
        return b.binary("MUL", b.logistic(x), b.constant(np.arange(4, dtype=np.int8), scale=0.1))

    def of_two(b: Builder) -> int:
        x, y = b.input((1, 8)), b.input((1, 8))
        return b.binary("MUL", b.logistic(x), b.tanh(y))

    models = [model(build) for build in (shared, by_channel, of_two)]
    assert [kinds(data) for data in models] == [
        ["LOGISTIC", "MUL", "TANH"],
        ["LOGISTIC", "MUL"],
        ["LOGISTIC", "TANH", "MUL"],
    ]
    prove(models)


def attention(keys_by_row: bool, spoil: str = "") -> bytes:
    def build(b: Builder) -> int | list[int]:
        q, v = b.input((1, 2, 5, 4)), b.input((1, 2, 6, 3))
        k = b.input((1, 2, 6, 4) if keys_by_row else (1, 2, 4, 6))
        scores = add.batch_matmul(b, q, k, adj_y=keys_by_row, scale=0.1)
        weights = b.softmax(scores)
        y = add.batch_matmul(b, weights, v, scale=0.05)
        return [y, scores] if spoil == "scores are an output" else y

    return model(build)


@pytest.mark.parametrize("keys_by_row", [False, True])
def test_scores_of_an_attention_are_never_whole(keys_by_row: bool) -> None:
    program = lower(read_graph(attention(keys_by_row)), Target(Isa.PORTABLE))
    (step,) = program.steps
    assert step.kind == "ATTENTION" and step.scratch_bytes == 4 * 6 + 6
    assert step.macs == 2 * 5 * 6 * (4 + 3)
    assert {program.graph.tensors[t].shape for t in program.graph.activations()} == {
        (1, 2, 5, 4), (1, 2, 6, 3), (1, 2, 5, 3), (1, 2, 6, 4) if keys_by_row else (1, 2, 4, 6),
    }  # fmt: skip


def test_scores_that_are_an_output_stay(prove: Prove) -> None:
    data = attention(False, "scores are an output")
    assert kinds(data) == ["BATCH_MATMUL", "SOFTMAX", "BATCH_MATMUL"]
    prove([data])
