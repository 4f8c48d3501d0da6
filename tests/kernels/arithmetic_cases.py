"""Random models of one op that computes: shapes, parameters and quantisations from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support import arithmetic_builder as add
from tests.support.tflite_builder import Builder


class Draw:
    """What a case is drawn from."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def size(self, most: int, least: int = 1) -> int:
        """A dimension."""
        return int(self.rng.integers(least, most + 1))

    def scale(self, low: float = 1e-3, high: float = 0.5) -> float:
        """A float32 scale, evenly spread over its logarithm."""
        return float(np.float32(np.exp(self.rng.uniform(np.log(low), np.log(high)))))

    def zero_point(self) -> int:
        """Any int8, the ends more often."""
        return int(
            self.rng.choice([-128, 0, 127, int(self.rng.integers(-128, 128)), int(self.rng.integers(-128, 128))])
        )

    def flag(self, probability: float = 0.5) -> bool:
        """True so often."""
        return bool(self.rng.random() < probability)

    def pick(self, *options: Any) -> Any:
        """One of some things."""
        return options[int(self.rng.integers(len(options)))]

    def bytes(self, *shape: int) -> np.ndarray:
        """int8 values."""
        return self.rng.integers(-128, 128, shape).astype(np.int8)

    def operand(self, b: Builder, shape: tuple[int, ...], constant: bool) -> int:
        """A constant or an input."""
        if constant:
            return b.constant(self.bytes(*shape), scale=self.scale(), zero_point=self.zero_point())
        return b.input(shape, scale=self.scale(), zero_point=self.zero_point())

    def broadcast_shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Two shapes that broadcast: as networks have them, or any."""
        whole = tuple(self.size(5) for _ in range(self.size(5)))
        other: tuple[int, ...] = tuple(n if self.flag() else 1 for n in whole)
        if self.flag():
            other = other[self.size(len(other)) - 1 :]
        one = tuple(n if i < len(whole) - len(other) or other[i - len(whole)] != 1 or self.flag(0.8) else 1
                    for i, n in enumerate(whole))  # fmt: skip
        return (one, other) if self.flag(0.7) else (other, one)


def batch_matmul(draw: Draw) -> bytes:
    """Ranks 2 to 5, broadcast batches, both adjoints, either operand constant."""
    b = Builder()
    rank = draw.size(5, 2)
    batch = tuple(draw.size(3) for _ in range(rank - 2))
    rows, depth, columns = draw.size(9), draw.pick(draw.size(9), draw.size(40)), draw.size(9)
    adj_x, adj_y = draw.flag(0.3), draw.flag()
    batch_a = tuple(n if draw.flag(0.8) else 1 for n in batch)
    batch_b = tuple(n if m == 1 or draw.flag(0.8) else 1 for m, n in zip(batch_a, batch, strict=True))
    if draw.flag(0.2):
        batch_b = batch_b[len(batch_b) // 2 :]
    x = draw.operand(b, (*batch_a, *((depth, rows) if adj_x else (rows, depth))), False)
    y = draw.operand(b, (*batch_b, *((columns, depth) if adj_y else (depth, columns))), draw.flag(0.2))
    scale = b.values[x].scale * b.values[y].scale * draw.scale(1.0, 3000.0)
    out = add.batch_matmul(b, x, y, adj_x=adj_x, adj_y=adj_y, scale=scale, zero_point=draw.zero_point())
    return b.build([out])


def transpose_conv(draw: Draw) -> bytes:
    """Kernels 1 to 5, strides 1 to 4, both paddings, with and without bias."""
    b = Builder()
    channels, filters = draw.size(9), draw.size(7)
    kernel = draw.size(5), draw.size(5)
    stride = draw.pick((1, 1), (2, 2), (2, 2), (4, 4), (3, 2), (draw.size(4), draw.size(4)))
    x = b.input((1, draw.size(5), draw.size(5), channels), scale=draw.scale(), zero_point=draw.zero_point())
    scales: Any = [draw.scale(0.001, 0.02) for _ in range(filters)] if draw.flag(0.7) else draw.scale(0.001, 0.02)
    weights = np.maximum(draw.bytes(filters, *kernel, channels), -127)
    bias = draw.rng.integers(-5000, 5000, filters).astype(np.int32) if draw.flag(0.7) else None
    activation = draw.pick("NONE", "NONE", "RELU", "RELU6")
    out = add.transpose_conv(
        b, x, weights, scales, bias, scale=draw.scale(0.01, 0.5), zero_point=draw.zero_point(), stride=stride,
        padding=draw.pick("SAME", "VALID"), activation=activation,
    )  # fmt: skip
    return b.build([out])


def resize_bilinear(draw: Draw) -> bytes:
    """Up and down, all three ways to lay pixels."""
    b = Builder()
    x = b.input((1, draw.size(9), draw.size(9), draw.size(5)), scale=draw.scale(), zero_point=draw.zero_point())
    which = draw.size(3)
    size = draw.size(20), draw.size(20)
    return b.build([add.resize_bilinear(b, x, size, align_corners=which == 1, half_pixel_centers=which == 2)])


def squared_difference(draw: Draw) -> bytes:
    """Any broadcast; output scales that clamp and that do not."""
    b = Builder()
    a, other = draw.broadcast_shapes()
    x, y = draw.operand(b, a, False), draw.operand(b, other, draw.flag(0.3))
    largest = max(b.values[x].scale, b.values[y].scale)
    scale = largest**2 * draw.scale(0.01, 500.0)
    return b.build([add.broadcast(b, "SQUARED_DIFFERENCE", x, y, scale=scale, zero_point=draw.zero_point())])


def prelu(draw: Draw) -> bytes:
    """One slope a channel as converters write it, or any broadcast."""
    b = Builder()
    a, other = draw.broadcast_shapes()
    if draw.flag():
        a = (1, draw.size(4), draw.size(4), draw.size(7))
        other = (1, 1, a[3])
    a = np.broadcast_shapes(a, other)
    x = draw.operand(b, a, False)
    alpha = draw.operand(b, other, draw.flag(0.8))
    scale = b.values[x].scale * draw.scale(0.3, 3.0)
    return b.build([add.broadcast(b, "PRELU", x, alpha, scale=scale, zero_point=draw.zero_point())])


def l2_normalization(draw: Draw) -> bytes:
    """Ranks 1 to 5."""
    b = Builder()
    shape = (*(draw.size(3) for _ in range(draw.size(5) - 1)), draw.pick(draw.size(9), draw.size(300)))
    x = b.input(shape, scale=draw.scale(), zero_point=draw.zero_point())
    return b.build([add.normalised(b, "L2_NORMALIZATION", x)])


def log_softmax(draw: Draw) -> bytes:
    """Ranks 1 to 5, scales from nearly flat to one-hot."""
    b = Builder()
    shape = (*(draw.size(3) for _ in range(draw.size(5) - 1)), draw.pick(draw.size(12), draw.size(300)))
    x = b.input(shape, scale=draw.scale(3e-4, 20.0), zero_point=draw.zero_point())
    return b.build([add.normalised(b, "LOG_SOFTMAX", x)])


def mean(draw: Draw) -> bytes:
    """Any axes of up to five dimensions, kept and dropped."""
    b = Builder()
    shape = tuple(draw.size(5) for _ in range(draw.size(5)))
    x = b.input(shape, scale=draw.scale(), zero_point=draw.zero_point())
    axes = [d for d in range(len(shape)) if draw.flag()] or [len(shape) - 1]
    scale = b.values[x].scale * draw.scale(0.1, 3.0)
    return b.build([b.reduce("MEAN", x, axes, keep_dims=draw.flag(), scale=scale, zero_point=draw.zero_point())])


def binary(kind: str) -> Callable[[Draw], bytes]:
    """ADD or MUL over any broadcast, with every fused activation."""

    def make(draw: Draw) -> bytes:
        b = Builder()
        a, other = draw.broadcast_shapes()
        x, y = draw.operand(b, a, False), draw.operand(b, other, draw.flag(0.3))
        base = b.values[x].scale * b.values[y].scale * 64 if kind == "MUL" else b.values[x].scale + b.values[y].scale
        options = {"zero_point": draw.zero_point(), "activation": draw.pick("NONE", "RELU", "RELU6", "RELU_N1_TO_1")}
        return b.build([b.binary(kind, x, y, scale=base * draw.scale(0.2, 3.0), **options)])

    return make


def fully_connected(draw: Draw) -> bytes:
    """Ranks 2 to 4, dimensions kept and not, per tensor and per channel, with and without bias."""
    b = Builder()
    depth, channels = draw.size(40), draw.size(9)
    shape = (*(draw.size(4) for _ in range(draw.size(3))), depth)
    x = b.input(shape, scale=draw.scale(), zero_point=draw.zero_point())
    scales: Any = [draw.scale(0.001, 0.02) for _ in range(channels)] if draw.flag() else draw.scale(0.001, 0.02)
    bias = draw.rng.integers(-5000, 5000, channels).astype(np.int32) if draw.flag(0.7) else None
    out = b.fully_connected(
        x, np.maximum(draw.bytes(channels, depth), -127), scales, bias, scale=draw.scale(0.02, 2.0),
        zero_point=draw.zero_point(), keep_num_dims=draw.flag(), activation=draw.pick("NONE", "RELU", "RELU6"),
    )  # fmt: skip
    return b.build([out])


def softmax(draw: Draw) -> bytes:
    """Ranks 2 to 5."""
    b = Builder()
    shape = (*(draw.size(3) for _ in range(draw.size(4))), draw.pick(draw.size(12), draw.size(300)))
    x = b.input(shape, scale=draw.scale(3e-4, 20.0), zero_point=draw.zero_point())
    return b.build([b.softmax(x, draw.pick(1.0, 1.0, draw.scale(0.1, 3.0)))])


def convolved(depthwise: bool) -> Callable[[Draw], bytes]:
    """Kernels to 9x9, strides of two sizes, dilation to 16, groups and multipliers to 8."""

    def make(draw: Draw) -> bytes:
        b = Builder()
        kernel = draw.pick((1, draw.size(9)), (draw.size(9), 1), (draw.size(5), draw.size(5)), (9, 9))
        dilation = draw.pick((1, 1), (1, 1), (draw.size(16), draw.size(16)), (2, 2))
        stride = (1, 1) if dilation != (1, 1) else draw.pick((1, 1), (2, 1), (2, 2), (draw.size(4), draw.size(4)))
        groups, multiplier = draw.pick(1, 1, draw.size(16)), draw.pick(1, 2, 8, draw.size(8))
        group = draw.size(4)
        channels = draw.size(9) if depthwise else groups * group
        filters = channels * multiplier if depthwise else groups * draw.size(4)
        shape = (1, *kernel, filters) if depthwise else (filters, *kernel, group)
        sides = [draw.size(9) + (k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        x = b.input((1, *sides, channels), scale=draw.scale(), zero_point=draw.zero_point())
        scales: Any = [draw.scale(0.001, 0.02) for _ in range(filters)] if draw.flag(0.7) else draw.scale(0.001, 0.02)
        bias = draw.rng.integers(-5000, 5000, filters).astype(np.int32) if draw.flag(0.7) else None
        options: dict[str, Any] = {
            "scale": draw.scale(0.02, 2.0), "zero_point": draw.zero_point(), "stride": stride, "dilation": dilation,
            "padding": draw.pick("SAME", "VALID"), "activation": draw.pick("NONE", "RELU", "RELU6"),
        }  # fmt: skip
        weights = np.maximum(draw.bytes(*shape), -127)
        add_layer = b.depthwise_conv_2d if depthwise else b.conv_2d
        return b.build([add_layer(x, weights, scales, bias, **options)])

    return make


def attention(draw: Draw) -> bytes:
    """Scores as they are, scaled, or through a curve; keys either way, one tensor in several places."""
    b = Builder()
    batch = tuple(draw.size(3) for _ in range(draw.size(4) - 1))
    rows, depth, count, size = draw.size(7), draw.size(12), draw.pick(draw.size(9), draw.size(60)), draw.size(9)
    by_row = draw.flag()
    q = draw.operand(b, (*batch, rows, depth), False)
    k = draw.operand(b, (*batch, *((count, depth) if by_row else (depth, count))), False)
    v = k if by_row and draw.flag(0.2) else draw.operand(b, (*batch, count, size), False)
    scale = b.values[q].scale * b.values[k].scale * draw.scale(10.0, 900.0)
    quant: dict[str, Any] = {"scale": scale, "zero_point": draw.zero_point()}
    x = add.batch_matmul(b, q, k, adj_y=by_row, **quant)
    if draw.flag():
        number = b.constant(draw.bytes(1), scale=draw.scale(0.001, 0.02), zero_point=-128)
        x = b.binary("MUL", x, number, scale=b.values[x].scale * draw.scale(0.2, 2.0), zero_point=draw.zero_point())
    x = b.softmax(x, draw.pick(1.0, 1.0, draw.scale(0.3, 2.0)))
    quant = {"scale": b.values[v].scale * draw.scale(0.1, 1.0), "zero_point": draw.zero_point()}
    return b.build([add.batch_matmul(b, x, v, **quant)])


CASES: dict[str, Callable[[Draw], bytes]] = {
    "BATCH_MATMUL": batch_matmul,
    "TRANSPOSE_CONV": transpose_conv,
    "RESIZE_BILINEAR": resize_bilinear,
    "SQUARED_DIFFERENCE": squared_difference,
    "PRELU": prelu,
    "L2_NORMALIZATION": l2_normalization,
    "LOG_SOFTMAX": log_softmax,
    "ATTENTION": attention,
    "MEAN": mean,
    "ADD": binary("ADD"),
    "MUL": binary("MUL"),
    "FULLY_CONNECTED": fully_connected,
    "SOFTMAX": softmax,
    "CONV_2D": convolved(depthwise=False),
    "DEPTHWISE_CONV_2D": convolved(depthwise=True),
}
