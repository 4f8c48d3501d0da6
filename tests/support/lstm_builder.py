"""UNIDIRECTIONAL_SEQUENCE_LSTM as the converter writes it."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.kernels.arithmetic_cases import Draw
from tests.support.tflite_builder import Builder


def lstm(b: Builder, x: int, cells: int, draw: Draw, *, time_major: bool = False, cell_clip: float = 0.0) -> int:
    """The op over ``x`` [1, T, I] ([T, 1, I]), with drawn weights and scales."""
    source = b.values[x]
    inputs, out_scale, out_zero = source.shape[2], draw.scale(0.004, 0.02), draw.zero_point()

    def weights(columns: int) -> tuple[list[int], list[float]]:
        scales = [draw.scale(0.001, 0.02) for _ in range(4)]
        data = (np.maximum(draw.bytes(cells, columns), -127) for _ in range(4))
        return [b.constant(d, scale=s) for d, s in zip(data, scales, strict=True)], scales

    from_input, scales = weights(inputs)
    from_state, _ = weights(cells)
    biases = [
        b.constant(draw.rng.integers(-3000, 3000, cells).astype(np.int32), scale=s * source.scale) for s in scales
    ]
    state = b.tensor((1, cells), scale=out_scale, zero_point=out_zero)
    cell = b.tensor((1, cells), dtype="int16", scale=2.0 ** draw.pick(-11, -11, -10, -12, -15, -9))
    for variable in (state, cell):
        b._graph.tensors[variable].isVariable = True
    hidden = b.tensor((1, cells), scale=out_scale * draw.pick(1.0, 1.1), zero_point=out_zero)
    output = b.tensor((*source.shape[:2], cells), scale=out_scale, zero_point=out_zero)
    absent = [-1, -1, -1]
    operands = [x, *from_input, *from_state, *absent, *biases, -1, -1, state, cell, *absent, -1]
    b.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [output], "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=schema.ActivationFunctionType.TANH, timeMajor=time_major, cellClip=cell_clip,
    )  # fmt: skip
    dummies = [b.tensor((1, cells), dtype="int16", scale=2.0**-12) for _ in range(4)]
    b._graph.operators[-1].intermediates = [*dummies, hidden]
    return output
