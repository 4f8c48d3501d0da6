"""Graphs that contradict themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.graphs import sound_graph, with_input, with_tensor
from tinyml.errors import UnsupportedError
from tinyml.graph.check import check_health, problems
from tinyml.graph.ir import DType, Graph, Quant


def _twice(graph: Graph) -> Graph:
    return graph.with_ops([graph.ops[0], replace(graph.ops[0], name="again")])


SPOILED = {
    "is named, there are": lambda g: with_input(g, 0, 99),
    "source indices": lambda g: replace(g, source_tensors=(1,)),
    "has the shape": lambda g: with_tensor(g, 0, shape=(1, 0, 5, 4)),
    "it is int8": lambda g: with_tensor(g, 1, data=np.zeros((8, 3, 3, 4), np.int16)),
    "scales and": lambda g: with_tensor(g, 0, quant=Quant((0.1,), (0, 0))),
    "not a positive number": lambda g: with_tensor(g, 0, quant=Quant((float("inf"),), (0,))),
    "zero point outside": lambda g: with_tensor(g, 0, quant=Quant((0.1,), (128,))),
    "along dimension": lambda g: with_tensor(g, 1, quant=Quant((0.1,) * 8, (0,) * 8, 7)),
    "is input twice": lambda g: replace(g, inputs=(0, 0)),
    "an input is constant": lambda g: replace(g, inputs=(0, 1)),
    "before it is written": lambda g: replace(g, inputs=()),
    "has its values already": _twice,
    "is not computed": lambda g: replace(g, outputs=(0,)),
    "names are not unique": lambda g: g.with_ops([replace(g.ops[0], name="")]),
}


@pytest.mark.parametrize("words", SPOILED)
def test_each_contradiction_is_found(words: str) -> None:
    sound = sound_graph("CONV_2D")
    assert not list(problems(sound))
    with pytest.raises(UnsupportedError, match=words):
        check_health(SPOILED[words](sound))


def test_a_tensor_beyond_int32_is_refused() -> None:
    huge = with_tensor(sound_graph("RELU"), 0, shape=(1, 1 << 16, 1 << 15), dtype=DType.INT8)
    with pytest.raises(UnsupportedError, match="has the shape"):
        check_health(huge)
