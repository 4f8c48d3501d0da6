"""Small sound graphs of one op each, and ways to spoil them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinyml.graph.ir import ABSENT, DType, Graph, Op, Quant, Tensor
from tinyml.graph.ops import (
    ArgAttrs,
    AttentionAttrs,
    Attrs,
    BatchMatMulAttrs,
    BinaryAttrs,
    ConcatenationAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    GatherAttrs,
    GeluAttrs,
    LayerNormAttrs,
    LeakyReluAttrs,
    LookupAttrs,
    LstmAttrs,
    PadAttrs,
    PoolAttrs,
    ReduceAttrs,
    ResizeBilinearAttrs,
    SoftmaxAttrs,
    TopKAttrs,
    TransposeConvAttrs,
    VariableAttrs,
    ViewAttrs,
    WholeNormAttrs,
)
from tinyml.graph.ops.logic import OF_TWO
from tinyml.graph.ops.move import MOVES

IMAGE = (1, 6, 5, 4)


def activation(name: str, shape: tuple[int, ...], scale: float = 0.05, zero_point: int = -3) -> Tensor:
    """An int8 tensor computed at run time."""
    return Tensor(name, shape, DType.INT8, Quant((scale,), (zero_point,)))


def weights(shape: tuple[int, ...], axis: int, *, seed: int = 0) -> Tensor:
    """Constant int8 weights quantised along ``axis``."""
    generator = np.random.default_rng(seed)
    scales = tuple(generator.uniform(0.001, 0.01, shape[axis]).astype(np.float32).tolist())
    data = generator.integers(-127, 128, shape).astype(np.int8)
    return Tensor("weights", shape, DType.INT8, Quant(scales, (0,) * shape[axis], axis), data)


def bias(channels: int, scale: float | None = None) -> Tensor:
    """A constant int32 bias."""
    quant = None if scale is None else Quant((scale,), (0,))
    return Tensor("bias", (channels,), DType.INT32, quant, np.arange(channels, dtype=np.int32) * 10)


def graph_of(kind: str, attrs: Attrs, inputs: list[Tensor], output: Tensor) -> Graph:
    """A graph of one op whose run-time inputs are the graph's."""
    tensors = (*inputs, output)
    return Graph(
        name="one",
        tensors=tensors,
        ops=(Op(kind, kind.lower(), tuple(range(len(inputs))), (len(inputs),), attrs, 0),),
        inputs=tuple(i for i, t in enumerate(inputs) if not t.is_constant),
        outputs=(len(inputs),),
        source_tensors=tuple(range(len(tensors))),
    )


def _choices(x: Tensor, row: Tensor) -> dict[str, tuple[Attrs, list[Tensor], Tensor]]:
    """Ops that compare, choose and convert."""
    yes, result = Tensor("c", IMAGE, DType.BOOL), Tensor("y", IMAGE, DType.BOOL)
    where, largest = Tensor("y", IMAGE[:3], DType.INT32), activation("y", (1, 4))
    graphs: dict[str, tuple[Attrs, list[Tensor], Tensor]] = {}
    graphs |= {kind: (Attrs(), [x, row], result) for kind in OF_TWO if not kind.startswith("LOGICAL")}
    graphs |= {kind: (Attrs(), [x, row], activation("y", IMAGE)) for kind in ("MAXIMUM", "MINIMUM")}
    graphs |= {kind: (Attrs(), [yes, yes], result) for kind in ("LOGICAL_AND", "LOGICAL_OR")}
    graphs |= {kind: (Attrs(), [yes, x, x], activation("y", IMAGE)) for kind in ("SELECT", "SELECT_V2")}
    graphs |= {kind: (ArgAttrs(3), [x], where) for kind in ("ARG_MAX", "ARG_MIN")}
    graphs |= {kind: (ReduceAttrs((1, 2)), [x], largest) for kind in ("REDUCE_MAX", "REDUCE_MIN")}
    graphs["TOPK_V2"] = (TopKAttrs(), [x], activation("y", (*IMAGE[:3], 2)))
    return graphs | {"LOGICAL_NOT": (Attrs(), [yes], result), "CAST": (Attrs(), [x], Tensor("y", IMAGE, DType.INT32))}


def sound_graph(kind: str) -> Graph:
    """A graph of one op of ``kind`` that keeps every rule."""
    x = activation("x", IMAGE)
    unit = Tensor("y", IMAGE, DType.INT8, Quant((1 / 256,), (-128,)))
    floats = Tensor("f", IMAGE, DType.FLOAT32)
    conv = Conv2DAttrs(pad_top=1, pad_bottom=1)
    depthwise = DepthwiseConv2DAttrs(stride_h=2, multiplier=2)
    pool = PoolAttrs(filter_h=2, filter_w=2, stride_h=2, stride_w=2)
    pad = PadAttrs(((0, 0), (1, 1), (0, 2), (0, 0)), -3)
    dense = Tensor("w", (7, 120), DType.INT8, Quant((0.01,), (0,)), np.ones((7, 120), np.int8))
    words = Tensor("words", (3,), DType.INT32)
    row = activation("b", (4,), 0.02)
    vector = replace(row, data=np.arange(4, dtype=np.int8))
    number = Tensor("n", (1,), DType.INT8, Quant((0.03,), (0,)), np.array([100], np.int8))
    graphs: dict[str, tuple[Attrs, list[Tensor], Tensor]] = {
        "CONV_2D": (conv, [x, weights((8, 3, 3, 4), 0), bias(8)], activation("y", (1, 6, 3, 8), 0.1)),
        "DEPTHWISE_CONV_2D": (depthwise, [x, weights((1, 3, 3, 8), 3), bias(8)], activation("y", (1, 2, 3, 8), 0.1)),
        "FULLY_CONNECTED": (FullyConnectedAttrs(), [x, dense, bias(7, 0.05 * 0.01)], activation("y", (1, 7), 0.1)),
        "ADD": (BinaryAttrs(), [x, row], activation("y", IMAGE, 0.1)),
        "SUB": (BinaryAttrs(), [x, row], activation("y", IMAGE, 0.1)),
        "MUL": (BinaryAttrs(), [x, row], activation("y", IMAGE, 0.1)),
        "PAD": (pad, [x], activation("y", (1, 8, 7, 4))),
        "PADV2": (replace(pad, value=9), [x], activation("y", (1, 8, 7, 4))),
        "AVERAGE_POOL_2D": (pool, [x], activation("y", (1, 3, 2, 4))),
        "MAX_POOL_2D": (pool, [x], activation("y", (1, 3, 2, 4))),
        "MEAN": (ReduceAttrs((1, 2)), [x], activation("y", (1, 4), 0.02)),
        "SUM": (ReduceAttrs((1, 2), keep_dims=True), [x], activation("y", (1, 1, 1, 4), 0.5)),
        "RESHAPE": (Attrs(), [x], activation("y", (1, 120))),
        "SQUEEZE": (Attrs(), [x], activation("y", (6, 5, 4))),
        "EXPAND_DIMS": (Attrs(), [x], activation("y", (1, 6, 1, 5, 4))),
        "CONCATENATION": (
            ConcatenationAttrs(3),
            [x, activation("b", (1, 6, 5, 2))],
            activation("y", (1, 6, 5, 6)),
        ),
        "SOFTMAX": (SoftmaxAttrs(1.0), [x], unit),
        "LOGISTIC": (Attrs(), [x], unit),
        "TANH": (Attrs(), [x], activation("y", IMAGE, 1 / 128, 0)),
        "HARD_SWISH": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "LEAKY_RELU": (LeakyReluAttrs(0.1), [x], activation("y", IMAGE, 0.1)),
        "RELU": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "RELU6": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "RELU_N1_TO_1": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "QUANTIZE": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "DEQUANTIZE": (Attrs(), [x], floats),
        "BATCH_MATMUL": (
            BatchMatMulAttrs(adj_y=True),
            [x, activation("b", (1, 6, 7, 4), 0.02)],
            activation("y", (1, 6, 5, 7), 0.1),
        ),
        "TRANSPOSE_CONV": (
            TransposeConvAttrs(2, 2, 0, 0),
            [x, weights((8, 3, 3, 4), 0), bias(8)],
            activation("y", (1, 12, 10, 8), 0.1),
        ),
        "RESIZE_BILINEAR": (ResizeBilinearAttrs(half_pixel_centers=True), [x], activation("y", (1, 9, 10, 4))),
        "SQUARED_DIFFERENCE": (Attrs(), [x, row], activation("y", IMAGE, 0.1)),
        "PRELU": (Attrs(), [x, row], activation("y", IMAGE, 0.1)),
        "DIV": (BinaryAttrs(), [x, number], activation("y", IMAGE, 0.02)),
        "GELU": (GeluAttrs(), [x], activation("y", IMAGE, 0.1)),
        "EXP": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "LOG": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "RSQRT": (Attrs(), [activation("x", IMAGE, 0.05, -128)], activation("y", IMAGE, 0.1)),
        "SQRT": (Attrs(), [activation("x", IMAGE, 0.05, -128)], activation("y", IMAGE, 0.1)),
        "ABS": (Attrs(), [x], activation("y", IMAGE, 0.1)),
        "L2_NORMALIZATION": (Attrs(), [x], activation("y", IMAGE, 1 / 128, 0)),
        "LOG_SOFTMAX": (Attrs(), [x], activation("y", IMAGE, 1 / 16, 127)),
        "ATTENTION": (
            AttentionAttrs(keys_by_row=True, score_scale=0.1, logit_scale=0.1),
            [x, activation("k", (1, 6, 7, 4), 0.02), activation("v", (1, 6, 7, 3), 0.02)],
            activation("y", (1, 6, 5, 3), 0.1),
        ),
        "LAYER_NORM": (
            LayerNormAttrs(Quant((0.02,), (3,)), Quant((0.04,), (-5,)), Quant((0.03,), (7,))),
            [x, vector, vector],
            activation("y", IMAGE, 0.05),
        ),
        "WHOLE_NORM": (
            WholeNormAttrs(
                Quant((0.02,), (3,)),
                Quant((0.04,), (-5,)),
                Quant((0.1,), (-128,)),
                Quant((0.05,), (-128,)),
                Quant((0.01,), (-128,)),
                tuple(range(-128, 128)),
                120,
                Quant((0.03,), (7,)),
                Quant((0.03,), (1,)),
            ),
            [x, vector, vector],
            activation("y", IMAGE, 0.05),
        ),
        "LOOKUP": (LookupAttrs(tuple(range(-128, 128)), ("LOGISTIC", "MUL")), [x], activation("y", IMAGE)),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _sound_lstm(),
        "READ_VARIABLE": (VariableAttrs("v", bytes(120)), [], activation("y", IMAGE)),
        "ASSIGN_VARIABLE": (VariableAttrs("v", bytes(120)), [x], activation("y", IMAGE)),
        "GATHER": (GatherAttrs(2), [x, words], activation("y", (1, 6, 3, 4))),
        "PACK": (ConcatenationAttrs(1), [x, activation("b", IMAGE)], activation("y", (1, 2, 6, 5, 4))),
        **_choices(x, row),
        **{spec.kind: (ViewAttrs(0, (30, 4), (4, 1)), [x], activation("y", IMAGE)) for spec in MOVES},
    }
    graph = graph_of(kind, *graphs[kind])
    return _with_states(graph) if kind == "UNIDIRECTIONAL_SEQUENCE_LSTM" else graph


def _sound_lstm() -> tuple[Attrs, list[Tensor], Tensor]:
    """An LSTM of five cells over seven steps of four inputs."""
    state = replace(activation("h", (1, 5)), data=np.zeros((1, 5), np.int8))
    cell = Tensor("c", (1, 5), DType.INT16, Quant((2.0**-11,), (0,)), np.zeros((1, 5), np.int16))
    gates = [
        Tensor("w", (5, n), DType.INT8, Quant((0.01,), (0,)), np.ones((5, n), np.int8)) for n in (4,) * 4 + (5,) * 4
    ]
    biases = [bias(5, 0.0005) for _ in range(4)]
    inputs = [activation("x", (1, 7, 4)), state, cell, *gates, *biases]
    return LstmAttrs(hidden=Quant((0.05,), (-3,))), inputs, activation("y", (1, 7, 5))


def _with_states(graph: Graph) -> Graph:
    """The graph whose op also gives its second and third input anew."""
    op, count = graph.ops[0], len(graph.tensors)
    states = (graph.tensors[t] for t in op.inputs[1:3])
    anew = tuple(replace(state, name=f"{state.name} next", data=None) for state in states)
    output = graph.tensors[-1]
    tensors = (*graph.tensors[:-1], *anew, output)
    changed = replace(op, outputs=(count + 1, count - 1, count))
    return replace(
        graph, tensors=tensors, ops=(changed,), outputs=(count + 1,), source_tensors=tuple(range(len(tensors)))
    )


def with_attrs(graph: Graph, **changes: Any) -> Graph:
    """The graph with other attributes of its first op."""
    op = graph.ops[0]
    return graph.with_ops((replace(op, attrs=replace(op.attrs, **changes)), *graph.ops[1:]))


def with_tensor(graph: Graph, index: int, **changes: Any) -> Graph:
    """The graph with other facts about tensor ``index`` (negative counts from the end)."""
    position = index % len(graph.tensors)
    tensors = list(graph.tensors)
    tensors[position] = replace(tensors[position], **changes)
    return replace(graph, tensors=tuple(tensors))


def with_input(graph: Graph, position: int, tensor: int) -> Graph:
    """The graph whose first op reads ``tensor`` (or :data:`ABSENT`) at ``position``."""
    op = graph.ops[0]
    inputs = (*op.inputs[:position], tensor, *op.inputs[position + 1 :])
    return graph.with_ops((replace(op, inputs=inputs), *graph.ops[1:]))


def without_input(graph: Graph, position: int) -> Graph:
    """The graph whose first op has that input absent."""
    return with_input(graph, position, ABSENT)


def as_constant(graph: Graph, index: int) -> Graph:
    """The graph with tensor ``index`` constant."""
    tensor = graph.tensors[index]
    return with_tensor(graph, index, data=np.zeros(tensor.shape, tensor.dtype.numpy))
