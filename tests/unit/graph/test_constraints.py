"""Every rule of every op, broken on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.support.graphs import as_constant, sound_graph, with_attrs, with_input, with_tensor, without_input
from tinyml.errors import UnsupportedError
from tinyml.graph.check import check_health, check_supported
from tinyml.graph.ir import Activation, DType, Graph, Quant
from tinyml.graph.ops import SPECS, Attrs, TablesAttrs
from tinyml.graph.ops.move import MOVES

Spoil = Callable[[Graph], Graph]


@dataclass(frozen=True, slots=True)
class ForeignAttrs(Attrs):
    """Attributes of no op."""


def with_move(graph: Graph, attrs: Attrs) -> Graph:
    """The first op moves elements of its first input as ``attrs`` say, as many as there are."""
    op = replace(graph.ops[0], inputs=graph.ops[0].inputs[:1], attrs=attrs)
    elements = int(np.prod([len(table) for table in attrs.tables])) if isinstance(attrs, TablesAttrs) else 1
    return with_tensor(graph.with_ops([op]), -1, shape=(elements,))


def _quant(scale: float, zero_point: int = -3) -> Quant:
    return Quant((scale,), (zero_point,))


def _all_constant(graph: Graph) -> Graph:
    for index in graph.inputs:
        graph = as_constant(graph, index)
    return graph


def _foreign(graph: Graph) -> Graph:
    return graph.with_ops([replace(graph.ops[0], attrs=ForeignAttrs())])


def _big_bias(graph: Graph) -> Graph:
    bias = graph.tensors[2]
    assert bias.data is not None
    return with_tensor(graph, 2, data=np.full(bias.shape, 2**31 - 1, np.int32))


def _no_output_scale(graph: Graph) -> Graph:
    return with_tensor(graph, -1, quant=_quant(1e-30))


SPOILERS: dict[tuple[str, str], Spoil] = {
    ("constraint_attributes", "*"): _foreign,
    ("constraint_int8", "*"): lambda g: with_tensor(g, 0, dtype=DType.INT16),
    ("constraint_run_time", "*"): _all_constant,
    ("constraint_run_time", "RESHAPE"): lambda g: as_constant(g, 1),
    ("constraint_run_time", "SQUEEZE"): lambda g: as_constant(g, 1),
    ("constraint_run_time", "EXPAND_DIMS"): lambda g: as_constant(g, 1),
    ("constraint_weights", "*"): lambda g: with_tensor(g, 1, data=None),
    ("constraint_weights_quantisation", "*"): lambda g: with_tensor(g, 1, quant=Quant((0.1,), (1,))),
    ("constraint_bias", "*"): lambda g: with_tensor(g, 2, dtype=DType.INT64),
    ("constraint_accumulator", "*"): _big_bias,
    ("constraint_multiplier", "*"): _no_output_scale,
    ("constraint_multiplier", "SOFTMAX"): lambda g: with_attrs(g, beta=1e-30),
    ("constraint_input_scale", "*"): lambda g: with_tensor(g, 0, quant=_quant(1e-30)),
    ("constraint_image", "*"): lambda g: with_tensor(g, 0, shape=(2, 3, 5, 4)),
    ("constraint_steps", "*"): lambda g: with_attrs(g, stride_h=0),
    ("constraint_channels", "CONV_2D"): lambda g: with_attrs(g, groups=2),
    ("constraint_channels", "DEPTHWISE_CONV_2D"): lambda g: with_attrs(g, multiplier=1),
    ("constraint_output", "*"): lambda g: with_attrs(g, stride_h=4),
    ("constraint_output", "SOFTMAX"): lambda g: with_tensor(g, -1, quant=_quant(1 / 256, -127)),
    ("constraint_output", "LOGISTIC"): lambda g: with_tensor(g, -1, quant=_quant(1 / 128, -128)),
    ("constraint_output", "TANH"): lambda g: with_tensor(g, -1, quant=_quant(1 / 256, 0)),
    ("constraint_shape", "*"): lambda g: with_tensor(g, -1, shape=(1, 5, 6, 4, 2)),
    ("constraint_bias_scale", "FULLY_CONNECTED"): lambda g: with_tensor(g, 2, quant=_quant(0.9, 0)),
    ("constraint_quantisation", "*"): lambda g: with_tensor(g, -1, quant=_quant(0.06)),
    ("constraint_quantisation", "SUM"): lambda g: with_tensor(g, -1, quant=_quant(0.05)),
    ("constraint_value", "PAD"): lambda g: with_attrs(g, value=-2),
    ("constraint_value", "PADV2"): lambda g: with_attrs(g, value=128),
    ("constraint_padding", "*"): lambda g: with_attrs(g, pad_top=2),
    ("constraint_axes", "*"): lambda g: with_attrs(g, axes=()),
    ("constraint_size", "*"): lambda g: with_tensor(
        with_tensor(g, 0, shape=(1, 4096, 2049, 4)), -1, shape=(1, 4) if g.ops[0].kind == "MEAN" else (1, 1, 1, 4)
    ),
    ("constraint_inputs", "CONCATENATION"): lambda g: without_input(g, 1),
    ("constraint_activation", "CONCATENATION"): lambda g: with_attrs(g, activation=Activation.RELU),
    ("constraint_beta", "SOFTMAX"): lambda g: with_attrs(g, beta=float("nan")),
    ("constraint_alpha", "LEAKY_RELU"): lambda g: with_attrs(g, alpha=0.0),
    ("constraint_border", "QUANTIZE"): lambda g: replace(with_tensor(g, 0, dtype=DType.FLOAT32, quant=None), inputs=()),
    ("constraint_border", "DEQUANTIZE"): lambda g: replace(g, outputs=()),
    ("constraint_depth", "BATCH_MATMUL"): lambda g: with_tensor(
        with_tensor(g, 0, shape=(1, 6, 5, 33_001)), 1, shape=(1, 6, 7, 33_001)
    ),
    ("constraint_output", "TRANSPOSE_CONV"): lambda g: with_attrs(g, pad_top=3),
    ("constraint_channels", "TRANSPOSE_CONV"): lambda g: with_tensor(g, -1, shape=(1, 12, 10, 7)),
    ("constraint_shape", "RESIZE_BILINEAR"): lambda g: with_tensor(g, -1, shape=(1, 9, 10, 3)),
    ("constraint_centers", "RESIZE_BILINEAR"): lambda g: with_attrs(g, align_corners=True),
    ("constraint_slopes", "PRELU"): lambda g: with_tensor(with_tensor(g, 0, shape=(1, 6, 1, 4)), 1, shape=(1, 6, 5, 4)),
    ("constraint_divisor", "DIV"): lambda g: with_tensor(g, 1, data=np.zeros(1, np.int8)),
    ("constraint_activation", "DIV"): lambda g: with_attrs(g, activation=Activation.RELU),
    ("constraint_sign", "*"): lambda g: with_tensor(g, 0, quant=_quant(0.05, -127)),
    ("constraint_size", "L2_NORMALIZATION"): lambda g: with_tensor(
        with_tensor(g, 0, shape=(1, 33_001)), -1, shape=(1, 33_001)
    ),
    ("constraint_size", "LOG_SOFTMAX"): lambda g: with_tensor(with_tensor(g, 0, shape=(1, 2049)), -1, shape=(1, 2049)),
    ("constraint_weights", "UNIDIRECTIONAL_SEQUENCE_LSTM"): lambda g: with_tensor(g, 3, data=None),
    ("constraint_shape", "UNIDIRECTIONAL_SEQUENCE_LSTM"): lambda g: with_attrs(g, time_major=True),
    ("constraint_accumulator", "UNIDIRECTIONAL_SEQUENCE_LSTM"): lambda g: with_tensor(
        g, 12, data=np.full((5,), 2**31 - 1, np.int32)
    ),
    ("constraint_scales", "UNIDIRECTIONAL_SEQUENCE_LSTM"): lambda g: with_tensor(g, 2, quant=_quant(0.001, 0)),
    ("constraint_table", "ATTENTION"): lambda g: with_attrs(g, table=(1, 2)),
    ("constraint_between", "LAYER_NORM"): lambda g: with_attrs(g, gained=None),
    ("constraint_size", "LAYER_NORM"): lambda g: with_tensor(
        with_attrs(without_input(without_input(with_tensor(g, 0, shape=(1, 33_001)), 1), 2), gained=None),
        -1,
        shape=(1, 33_001),
    ),
    ("constraint_between", "WHOLE_NORM"): lambda g: with_attrs(g, gained=None),
    ("constraint_size", "WHOLE_NORM"): lambda g: with_attrs(g, elements=4),
    ("constraint_table", "WHOLE_NORM"): lambda g: with_attrs(g, table=(1, 2)),
    ("constraint_table", "LOOKUP"): lambda g: with_attrs(g, table=(1, 2)),
    ("constraint_int8", "ASSIGN_VARIABLE"): lambda g: with_tensor(g, 0, dtype=DType.INT32),
    ("constraint_int8", "READ_VARIABLE"): lambda g: with_tensor(g, -1, dtype=DType.INT32),
    ("constraint_size", "READ_VARIABLE"): lambda g: with_attrs(g, initial=b"short"),
    ("constraint_size", "ASSIGN_VARIABLE"): lambda g: with_attrs(g, initial=b"short"),
    ("constraint_value", "ASSIGN_VARIABLE"): lambda g: with_tensor(g, 0, quant=_quant(0.06)),
    ("constraint_order", "ASSIGN_VARIABLE"): lambda g: g.with_ops(
        [g.ops[0], replace(g.ops[0], name="again", outputs=())]
    ),
    ("constraint_output", "L2_NORMALIZATION"): lambda g: with_tensor(g, -1, quant=_quant(1 / 128, 1)),
    ("constraint_output", "LOG_SOFTMAX"): lambda g: with_tensor(g, -1, quant=_quant(1 / 16, 126)),
}

SPOILERS |= {
    ("constraint_elements", "*"): lambda g: with_tensor(g, 0, shape=(1, 4096, 4096, 2)),
    ("constraint_types", "*"): lambda g: with_tensor(g, 0, dtype=DType.INT16),
    ("constraint_scale", "*"): lambda g: with_tensor(g, 0, quant=_quant(1.5)),
    ("constraint_type", "*"): lambda g: with_tensor(g, 0, dtype=DType.INT16),
    ("constraint_loops", "*"): lambda g: with_attrs(g, sizes=(2, 3, 1, 5, 2, 2, 1), strides=(60, 20, 1, 4, 2, 1, 1)),
    ("constraint_loops", "GATHER"): lambda g: with_move(g, TablesAttrs(((0, 60), (0, 20), (0, 4), (0,), (0, 1), (2,)))),
    ("constraint_inputs", "PACK"): lambda g: without_input(g, 1),
    ("constraint_activation", "PACK"): lambda g: with_attrs(g, activation=Activation.RELU),
} | {
    ("constraint_run_time", spec.kind): lambda g: as_constant(g, -1) for spec in (*MOVES, SPECS["GATHER"])
}  # fmt: skip

CASES = [(kind, name, rule) for kind, spec in SPECS.items() for name, rule in spec.constraints()]


@pytest.mark.parametrize("kind", SPECS)
def test_sound_graphs_keep_every_rule(kind: str) -> None:
    graph = sound_graph(kind)
    check_health(graph)
    check_supported(graph)


@pytest.mark.parametrize(("kind", "name", "rule"), CASES, ids=[f"{kind}-{name}" for kind, name, _ in CASES])
def test_each_rule_refuses_what_breaks_it(kind: str, name: str, rule: str) -> None:
    spoil = SPOILERS.get((name, kind)) or SPOILERS[name, "*"]
    spoiled = spoil(sound_graph(kind))
    broken = next(SPECS[kind].violations(spoiled, spoiled.ops[0]))
    assert broken[0] == rule
    assert len(broken[1]) > 3
    with pytest.raises(UnsupportedError, match=kind.lower()) as error:
        check_supported(spoiled)
    assert rule.rstrip(".") in error.value.message
    assert error.value.hint


def test_every_rule_is_a_sentence() -> None:
    for kind, name, rule in CASES:
        assert rule.endswith(".") and rule[0].isupper() and len(rule) < 160, (kind, name)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("CONV_2D", lambda g: without_input(g, 1)),
        ("CONV_2D", lambda g: with_tensor(g, 1, quant=Quant((0.1,) * 3, (0,) * 3, 1))),
        ("CONV_2D", lambda g: with_tensor(g, 1, dtype=DType.INT16)),
        ("CONV_2D", lambda g: with_tensor(g, 2, data=None)),
        ("CONV_2D", lambda g: with_tensor(g, 2, shape=(4,))),
        ("CONV_2D", lambda g: with_tensor(g, -1, shape=(1, 6, 3, 7))),
        ("CONV_2D", lambda g: with_attrs(g, dilation_w=5000)),
        ("CONV_2D", lambda g: with_attrs(g, dilation_w=3)),
        ("DEPTHWISE_CONV_2D", lambda g: with_tensor(g, 0, shape=(1, 6, 5, 3))),
        ("FULLY_CONNECTED", lambda g: with_attrs(g, keep_num_dims=True)),
        ("FULLY_CONNECTED", lambda g: with_tensor(g, 0, shape=(1, 119))),
        ("FULLY_CONNECTED", lambda g: with_tensor(g, 2, quant=None)),
        ("ADD", lambda g: with_tensor(g, 1, quant=Quant((0.1, 0.2), (0, 0)))),
        ("ADD", lambda g: with_tensor(g, 0, quant=None)),
        ("ADD", lambda g: with_tensor(g, 1, shape=(3,))),
        ("ADD", lambda g: with_tensor(g, -1, shape=(2, 6, 5, 4))),
        ("MUL", lambda g: without_input(g, 1)),
        ("PAD", lambda g: with_attrs(g, paddings=((0, 0), (-1, 3), (0, 2), (0, 0)))),
        ("CONCATENATION", lambda g: with_attrs(g, axis=1)),
        ("CONCATENATION", lambda g: with_attrs(g, axis=7)),
        ("MEAN", lambda g: with_attrs(g, axes=(1, 4))),
        ("QUANTIZE", lambda g: with_tensor(g, -1, dtype=DType.INT16)),
        ("DEQUANTIZE", lambda g: with_tensor(g, -1, dtype=DType.INT8)),
        ("RELU", lambda g: with_input(g, 0, 1)),
    ],
)
def test_further_ways_to_break_a_rule(kind: str, spoil: Spoil) -> None:
    spoiled = spoil(sound_graph(kind))
    with pytest.raises(UnsupportedError):
        check_health(spoiled)
        check_supported(spoiled)


def test_an_unknown_op_is_refused_by_name() -> None:
    graph = sound_graph("RELU")
    graph = graph.with_ops([replace(graph.ops[0], kind="ELU")])
    with pytest.raises(UnsupportedError, match="ELU is not supported"):
        check_supported(graph)


def test_floats_and_bytes_are_allowed_at_the_border() -> None:
    quantise = with_tensor(sound_graph("QUANTIZE"), 0, dtype=DType.FLOAT32, quant=None)
    check_supported(quantise)
    check_supported(with_tensor(sound_graph("QUANTIZE"), 0, dtype=DType.UINT8, quant=_quant(0.05, 125)))


def test_a_missing_bias_is_allowed() -> None:
    check_supported(without_input(sound_graph("CONV_2D"), 2))


@pytest.mark.parametrize(
    ("kind", "macs"),
    [
        ("CONV_2D", 144 * 36),
        ("DEPTHWISE_CONV_2D", 48 * 9),
        ("FULLY_CONNECTED", 840),
        ("ADD", 0),
        ("BATCH_MATMUL", 6 * 5 * 7 * 4),
        ("TRANSPOSE_CONV", 120 * 9 * 8),
        ("ATTENTION", 6 * 5 * 7 * (4 + 3)),
    ],
)
def test_multiply_accumulates(kind: str, macs: int) -> None:
    graph = sound_graph(kind)
    assert SPECS[kind].macs(graph, graph.ops[0]) == macs
