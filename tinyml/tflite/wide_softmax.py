"""Inputs on which TFLite's reference SOFTMAX stops the process.

The kernel shifts each result by ``23 + floor(log2(sum))`` bits, ``sum`` being that of the row's exponentials relative
to the largest, and gemmlowp's RoundingDivideByPOT asserts that this is at most 31 (softmax.h and common.h in TFLite's
kernels/internal). So rows of up to 511 elements are always fine, and longer ones unless they are nearly flat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.softmax import SoftmaxAttrs

SAFE_ELEMENTS = 511
SAFE_SUM = 511.0


def wide_softmaxes(graph: Graph) -> list[Op]:
    """The SOFTMAX ops that some input could bring to a stop."""
    return [op for op in graph.ops if op.kind == "SOFTMAX" and graph.tensors[op.inputs[0]].shape[-1] > SAFE_ELEMENTS]


def in_turn(graph: Graph) -> list[list[Op]]:
    """:func:`wide_softmaxes` in groups, each of which reads what is made of the groups before, and of no later one."""
    wide = {id(op) for op in wide_softmaxes(graph)}
    level: dict[int, int] = {}
    groups: list[list[Op]] = []
    for op in graph.ops:
        before = max((level.get(t, 0) for t in op.inputs), default=0)
        if id(op) in wide:
            if before == len(groups):
                groups.append([])
            groups[before].append(op)
            before += 1
        level.update(dict.fromkeys(op.outputs, before))
    return groups


def without_softmaxes(model: Any, graph: Graph, wide: list[Op]) -> None:
    """Cut the schema object ``model`` before the ops ``wide``, whose inputs become its outputs."""
    dead = {graph.source_tensors[t] for op in wide for t in op.outputs}
    kept = []
    for operator in model.subgraphs[0].operators:
        if dead.intersection((*operator.inputs, *operator.outputs)):
            dead.update(int(t) for t in operator.outputs)
        else:
            kept.append(operator)
    model.subgraphs[0].operators = kept
    heads = dict.fromkeys(graph.source_tensors[op.inputs[0]] for op in wide)
    model.subgraphs[0].outputs = np.asarray(list(heads), np.int32)
    model.signatureDefs = []


def is_defined(graph: Graph, op: Op, values: npt.NDArray[np.int8]) -> bool:
    """Whether the kernel gives a result for the logits ``values`` [..., classes]; within 1 of the limit it's no."""
    attrs = op.attrs
    assert isinstance(attrs, SoftmaxAttrs)
    logits = values.reshape(-1, graph.tensors[op.inputs[0]].shape[-1]).astype(np.float64)
    differences = (logits - logits.max(axis=1, keepdims=True)) * graph.tensors[op.inputs[0]].scale * attrs.beta
    return bool(np.exp(differences).sum(axis=1).max() < SAFE_SUM)
