"""Every step has the kind of layer under which its cost is reported."""

from __future__ import annotations

import numpy as np

from tests.support.tflite_builder import Builder
from tinyml.layers_table import LIMITS
from tinyml.lower.layer_kinds import elements, layer_kinds
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Program, Target
from tinyml.tflite.read import read_graph


def lowered(builder: Builder, output: int) -> Program:
    return lower(read_graph(builder.build([output])), Target(Isa.DSP))


def kernel(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.random.default_rng(0).integers(-100, 100, shape).astype(np.int8)


def test_a_convolutional_network() -> None:
    builder = Builder()
    x = builder.input((1, 24, 24, 3), scale=0.05)
    x = builder.conv_2d(x, kernel(8, 3, 3, 3), scale=0.01, stride=(2, 2))
    x = builder.depthwise_conv_2d(x, kernel(1, 3, 3, 8), scale=0.01)
    x = builder.depthwise_conv_2d(x, kernel(1, 5, 5, 8), scale=0.01, stride=(2, 2))
    x = a = builder.conv_2d(x, kernel(8, 1, 1, 8), scale=0.01)
    x = builder.conv_2d(x, kernel(8, 3, 3, 8), scale=0.01)
    x = builder.binary("ADD", a, x)
    x = builder.depthwise_conv_2d(x, kernel(1, 7, 7, 8), scale=0.01)
    x = builder.pool_2d("MAX_POOL_2D", x, size=(2, 2), stride=(2, 2))
    x = builder.pool_2d("AVERAGE_POOL_2D", x, size=(3, 3), stride=(3, 3), padding="VALID")
    x = builder.conv_2d(x, kernel(4, 1, 1, 8), scale=0.01)
    x = builder.logistic(builder.softmax(builder.fully_connected(builder.reshape(x, (1, 4)), kernel(4, 4), scale=0.01)))
    program = lowered(builder, x)
    assert [kind for _, kind in layer_kinds(program)] == [
        "first layer",
        "depthwise 3×3, stride 1",
        "depthwise 5×5, stride 2",
        "1×1",
        "k×k",
        "add",
        "depthwise 7×7, stride 1",
        "pooling",
        "pooling",
        "fully connected",
        "fully connected",
        "softmax",
        "logistic",
    ]
    pooled = next(step for step, kind in layer_kinds(program) if kind == "pooling")
    assert elements(program, pooled) == 6 * 6 * 8


def test_only_the_first_weights_make_a_first_layer() -> None:
    builder = Builder()
    x = builder.fully_connected(builder.input((1, 16), scale=0.05), kernel(16, 16), scale=0.01)
    x = builder.conv_2d(builder.reshape(x, (1, 4, 4, 1)), kernel(2, 3, 3, 1), scale=0.01)
    assert [kind for _, kind in layer_kinds(lowered(builder, x))] == ["fully connected", "k×k"]


def test_every_instruction_set_with_kernels_of_its_own_has_a_limit() -> None:
    assert set(LIMITS) == {isa.value for isa in Isa} - {Isa.PORTABLE.value}
