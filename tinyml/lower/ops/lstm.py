"""UNIDIRECTIONAL_SEQUENCE_LSTM on ``tml_lstm``.

Sources: TFLite ``kernels/unidirectional_sequence_lstm.cc`` (PopulateQuantizedLstmParams8x8_16,
PopulatePrecomputedZPTimesWeightsWithBias).
"""

from __future__ import annotations

from typing import cast

import numpy as np

from tinyml.graph.fixed_point import quantize_multiplier
from tinyml.graph.ir import Graph, Op
from tinyml.graph.ops.lstm import GATES, LstmAttrs, cell_power
from tinyml.lower.ops.common import constant, make_step
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Ints, Out, Role, Scratch, Step, Target
from tinyml.lower.requant import fold_input_zero_point

GATE_SCALE = 2.0**-12
"""Of what goes into a gate's activation: Q3.12."""


def _scales(graph: Graph, op: Op, first: int, scale: float) -> tuple[int, ...]:
    """Multiplier and shift of each gate's sums; TFLite computes its effective scales in float32."""
    weights = (np.float32(graph.tensor(t).scale) for t in op.inputs[first : first + GATES])
    pairs = (quantize_multiplier(float(w * np.float32(scale) / np.float32(GATE_SCALE))) for w in weights)
    return tuple(value for pair in pairs for value in pair)


def build(graph: Graph, op: Op, target: Target) -> Step:
    """The portable step; its second and third output are the bytes of the states that it reads."""
    attrs = cast(LstmAttrs, op.attrs)
    x, state, cell = (graph.tensor(t) for t in op.inputs[:3])
    cells, inputs = graph.tensor(op.outputs[0]).shape[2], x.shape[2]
    weights = np.stack([constant(graph, op, 3 + gate) for gate in range(GATES)])
    recurrent = np.stack([constant(graph, op, 3 + GATES + gate) for gate in range(GATES)])
    bias = np.stack([constant(graph, op, 3 + 2 * GATES + gate) for gate in range(GATES)])
    folded = fold_input_zero_point(bias, weights.astype(np.int64).sum(axis=2), x.zero_point)
    recurrent_bias = fold_input_zero_point(None, recurrent.astype(np.int64).sum(axis=2), state.zero_point)
    consts = (
        Const("weights", weights, Role.WEIGHTS),
        Const("recurrent", recurrent, Role.WEIGHTS),
        Const("bias", folded, Role.BIAS),
        Const("recurrent_bias", recurrent_bias, Role.BIAS),
    )
    power = cell_power(cell.scale)
    assert power is not None
    hidden_scale = np.float32(2.0**-15 / float(np.float32(attrs.hidden.scale)) * 2.0**-15)
    multiplier, shift = quantize_multiplier(float(hidden_scale))
    clip = int(max(-32768.0, min(32767.0, float(np.float32(attrs.cell_clip) / np.float32(cell.scale)))))
    ints = {
        "steps": x.elements // inputs, "inputs": inputs, "cells": cells, "cell_power": power, "cell_clip": clip,
        "hidden_multiplier": multiplier, "hidden_shift": shift, "hidden_zero_point": attrs.hidden.zero_point,
    }  # fmt: skip
    args: tuple[Arg, ...] = (
        In(0), Out(0), Out(1), Out(2), Scratch(), *(ConstRef(i) for i in range(4)),
        Ints("scales", _scales(graph, op, 3, x.scale)),
        Ints("recurrent_scales", _scales(graph, op, 3 + GATES, state.scale)),
        *(Int(name, value) for name, value in ints.items()),
    )  # fmt: skip
    return make_step(
        graph, op, kernel="tml_lstm", header="tml_lstm.h", inputs=op.inputs[:3], args=args, consts=consts,
        scratch_bytes=2 * GATES * cells,
    )  # fmt: skip
