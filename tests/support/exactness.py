"""Proves a rewritten graph against the file that it came from, with the oracle running both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.support.graph_writer import write_graph
from tinyml.graph.ir import DType, Graph
from tinyml.tflite.reference import Reference

Array = npt.NDArray[np.generic]


def random_inputs(graph: Graph, seed: int) -> list[Array]:
    generator = np.random.default_rng(seed)
    arrays: list[Array] = []
    for tensor in (graph.tensors[i] for i in graph.inputs):
        if tensor.dtype is DType.FLOAT32:
            arrays.append(generator.uniform(-4, 4, tensor.shape).astype(np.float32))
        else:
            arrays.append(generator.integers(-128, 128, tensor.shape).astype(np.int8))
    return arrays


def assert_exact(data: bytes, graph: Graph, runs: int = 3) -> None:
    """The rewritten ``graph`` and the file compute the same outputs and the same tensors that both have."""
    original, rewritten = Reference(data), Reference(write_graph(graph))
    named = {rewritten.graph.tensors[index].name: index for index in rewritten.graph.activations()}
    traceable = [t for t in graph.activations() if graph.source_tensors[t] >= 0]
    assert traceable
    for seed in range(runs):
        inputs = random_inputs(graph, seed)
        before, after = original.trace(inputs), rewritten.trace(inputs)
        for want, got in zip(original.run(inputs), rewritten.run(inputs), strict=True):
            assert np.array_equal(want, got)
        for tensor in traceable:
            want = graph.of_source(tensor, before[graph.source_tensors[tensor]])
            got = after[rewritten.graph.source_tensors[named[graph.tensors[tensor].name]]]
            assert want.shape == got.shape, graph.tensors[tensor].name
            assert np.array_equal(want, got), graph.tensors[tensor].name
