"""UNIDIRECTIONAL_SEQUENCE_LSTM of a ``.tflite`` file: its two variable tensors become variables, read before it.

Source: TFLite ``kernels/lstm_shared.h`` (the order of the inputs), ``kernels/unidirectional_sequence_lstm.cc``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyml.errors import UnsupportedError
from tinyml.graph.ir import ABSENT, Op, Tensor
from tinyml.graph.ops.lstm import LstmAttrs
from tinyml.graph.ops.state import VariableAttrs
from tinyml.tflite.flatbuffer import Budget, damaged, numbers

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_INPUTS = (20, 24)
_KEPT = (0, *range(1, 9), *range(12, 16))
_STATES = (18, 19)
_HIDDEN = 4
"""Which of the five intermediate tensors has the quantisation of the product of output gate and cell."""


def lstm_ops(
    where: str,
    index: int,
    operator: Any,
    inputs: Sequence[int],
    outputs: Sequence[int],
    budget: Budget,
    number: Callable[[int, str], int],
    read: Callable[[int], Tensor],
    add: Callable[[Tensor], int],
) -> list[Op]:
    """The readings of both states and the op.

    ``number`` gives the graph's index of a tensor of the file, ``read`` the tensor itself, ``add`` the index of a
    tensor that only the graph has. Raises UnsupportedError for projections, peepholes, layer norm and coupled gates.
    """
    if len(inputs) not in _INPUTS or len(outputs) != 1:
        raise damaged(f"{where} has {len(inputs)} inputs and {len(outputs)} outputs")
    missing = [p for p in (*_KEPT, *_STATES) if inputs[p] == ABSENT]
    further = [p for p, t in enumerate(inputs) if t != ABSENT and p not in _KEPT and p not in _STATES]
    if missing or further:
        what = f"has no input {missing[0]}" if missing else f"has an input {further[0]}"
        raise UnsupportedError(
            f"{where} {what}: coupled gates, peepholes, projections and layer norm are not supported",
            hint="convert keras.layers.LSTM as it is",
        )
    table = operator.BuiltinOptions()
    if int(operator.BuiltinOptionsType()) != schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions or table is None:
        raise damaged(f"{where} has no UnidirectionalSequenceLSTMOptions")
    options = schema.UnidirectionalSequenceLSTMOptions()
    options.Init(table.Bytes, table.Pos)
    if int(options.FusedActivationFunction()) != schema.ActivationFunctionType.TANH:
        raise UnsupportedError(f"{where} has another activation than tanh", hint="convert keras.layers.LSTM as it is")
    intermediates = numbers(operator, "Intermediates", budget, np.int32, f"{where}'s intermediates").tolist()
    hidden = read(intermediates[_HIDDEN]).quant if len(intermediates) > _HIDDEN else None
    if hidden is None or hidden.per_channel:
        raise UnsupportedError(f"{where} is not full-integer int8", hint="convert with representative data")
    ops, states = [], []
    for position in _STATES:
        tensor = read(inputs[position])
        first = np.full(tensor.shape, tensor.quant.zero_point if tensor.quant else 0, tensor.dtype.numpy)
        state = add(replace(tensor, data=None))
        attrs = VariableAttrs(f"{where} state {position}", first.tobytes())
        ops.append(Op("READ_VARIABLE", "", (), (state,), attrs, index))
        states.append((state, add(replace(tensor, name=f"{tensor.name} next", data=None))))
    kept = [number(inputs[p], where) for p in _KEPT]
    lstm = LstmAttrs(bool(options.TimeMajor()), float(options.CellClip()), hidden)
    made = (number(outputs[0], where), *(after for _, after in states))
    return [*ops, Op(LSTM, "", (kept[0], *(before for before, _ in states), *kept[1:]), made, lstm, index)]
