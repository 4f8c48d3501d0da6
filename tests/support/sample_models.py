"""Small but real models, built without TensorFlow, the same every time."""

from __future__ import annotations

import numpy as np

from tests.support import arithmetic_builder as add
from tests.support.logic_builder import every_choice
from tests.support.move_builder import every_move
from tests.support.tflite_builder import Builder


def sample_conv_model() -> bytes:
    """A convolution, a depthwise one, a branch, pooling, a dense layer and softmax: 1x9x8x4 to 5 classes."""
    generator = np.random.default_rng(1)
    model = Builder()
    x = model.input((1, 9, 8, 4), zero_point=-3)
    scales = generator.uniform(0.001, 0.004, 6).tolist()
    kernel = generator.integers(-127, 128, (6, 3, 3, 4))
    x = model.conv_2d(x, kernel, scales, generator.integers(-900, 900, 6), stride=(2, 1), activation="RELU6")
    y = model.depthwise_conv_2d(x, generator.integers(-127, 128, (1, 3, 3, 6)), 0.003, generator.integers(-90, 90, 6))
    x = model.binary("ADD", x, y, activation="RELU")
    x = model.pool_2d("AVERAGE_POOL_2D", x)
    x = model.reshape(x, (1, 2 * 4 * 6))
    x = model.fully_connected(x, generator.integers(-127, 128, (5, 48)), 0.002, generator.integers(-90, 90, 5))
    return model.build([model.softmax(x)])


def sample_of_every_op() -> bytes:
    """A model with every supported op, float32 and int8 outputs."""
    generator = np.random.default_rng(2)
    model = Builder()
    x = model.quantize(model.input((1, 9, 8, 4), dtype="float32", scale=None), scale=0.03, zero_point=-3)
    x = model.pad(x, [(0, 0), (1, 0), (0, 1), (0, 0)])
    x = model.conv_2d(x, generator.integers(-127, 128, (6, 3, 3, 2)), 0.002, padding="VALID", activation="RELU")
    x = model.depthwise_conv_2d(x, generator.integers(-127, 128, (1, 3, 3, 12)), 0.003, dilation=(2, 2))
    x = model.pad(x, [(0, 0), (1, 1), (0, 2), (0, 0)], 5)
    x = model.pool_2d("AVERAGE_POOL_2D", x)
    y = model.pool_2d("MAX_POOL_2D", x, size=(3, 3), stride=(1, 1), padding="SAME")
    x = model.binary("ADD", x, y)
    x = model.binary("MUL", x, model.constant(np.array(50, np.int8), scale=0.02), scale=0.3)
    row = generator.integers(-128, 128, 12).astype(np.int8)
    x = model.binary("SUB", x, model.constant(row, scale=0.02), scale=0.3)
    for kind in ("HARD_SWISH", "RELU", "RELU6", "RELU_N1_TO_1"):
        x = model.elementwise(kind, x, scale=0.07)
    x = model.tanh(model.leaky_relu(x, 0.1))
    x = model.concatenation([x, model.tanh(y)], 3)
    y = model.reduce("SUM", x, [1, 2], scale=0.2)
    x = model.reduce("MEAN", x, [1, 2], keep_dims=True, scale=0.01)
    x = model.expand_dims(model.squeeze(x, [1, 2]), 1)
    x = model.reshape(x, (1, 24))
    arithmetic = _sample_of_arithmetic(model, model.reshape(x, (1, 2, 3, 4)), generator)
    x = model.fully_connected(x, generator.integers(-127, 128, (5, 24)), 0.001, generator.integers(-100, 100, 5))
    x = model.quantize(x, scale=0.05, zero_point=3)
    z = every_move(model, model.reshape(y, (1, 12, 2)))
    outputs = [model.dequantize(model.softmax(x)), model.logistic(y), z, *every_choice(model, z), *arithmetic]
    return model.build(outputs)


def _sample_of_arithmetic(model: Builder, x: int, generator: np.random.Generator) -> list[int]:
    """A branch with the ops of :mod:`tests.support.arithmetic_builder`."""
    x = add.resize_bilinear(model, x, (6, 5), half_pixel_centers=True)
    x = add.transpose_conv(model, x, generator.integers(-127, 128, (4, 3, 3, 4)), 0.004)
    x = add.broadcast(model, "PRELU", x, model.constant(np.full((1, 1, 4), 9, np.int8), scale=0.02))
    for kind in ("GELU", "ABS"):
        x = add.curve(model, kind, x)
    x = add.broadcast(model, "DIV", x, model.constant(np.array(120, np.int8), scale=0.02), scale=0.04)
    y = add.broadcast(model, "SQUARED_DIFFERENCE", x, model.reduce("MEAN", x, [3], keep_dims=True), zero_point=-128)
    root = add.curve(model, "SQRT", add.curve(model, "RSQRT", y, zero_point=-128))
    z = add.batch_matmul(model, x, add.curve(model, "LOG", add.curve(model, "EXP", root)), adj_y=True)
    return [add.normalised(model, "L2_NORMALIZATION", z), add.normalised(model, "LOG_SOFTMAX", z)]
