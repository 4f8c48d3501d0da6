"""Random networks that can run row by row, from a seed, without TensorFlow: rows of a multiple of four bytes."""

from __future__ import annotations

import numpy as np

from tests.support.tflite_builder import Builder
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Program, Target
from tinyml.tflite.read import read_graph

PADDINGS = ("SAME", "VALID")


class _Chain:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.builder = Builder()
        self.blocks = (
            self.convolution, self.convolution, self.pointwise, self.depthwise, self.pool, self.residual, self.inverted,
            self.concatenation, self.squeeze_excite, self.activation,
        )  # fmt: skip

    def pick(self, *options: int) -> int:
        return int(self.rng.choice(options))

    def shape(self, x: int) -> tuple[int, ...]:
        return self.builder.values[x].shape

    def padding(self, x: int, kernel: int) -> str:
        height, width = self.shape(x)[1:3]
        return PADDINGS[self.pick(0, 0, 1)] if min(height, width) > kernel else "SAME"

    def conv(self, x: int, filters: int, kernel: int, stride: int = 1, padding: str = "SAME") -> int:
        weights = self.rng.integers(-127, 128, (filters, kernel, kernel, self.shape(x)[3]))
        return self.builder.conv_2d(x, weights, 0.004, stride=(stride, stride), padding=padding)

    def dw(self, x: int, kernel: int, stride: int = 1, padding: str = "SAME") -> int:
        weights = self.rng.integers(-127, 128, (1, kernel, kernel, self.shape(x)[3]))
        return self.builder.depthwise_conv_2d(x, weights, 0.006, stride=(stride, stride), padding=padding)

    def convolution(self, x: int) -> int:
        kernel = self.pick(2, 3, 3, 5)
        return self.conv(x, self.pick(4, 8, 12), kernel, self.pick(1, 1, 2), self.padding(x, kernel))

    def pointwise(self, x: int) -> int:
        return self.conv(x, self.pick(4, 8, 12, 16), 1)

    def depthwise(self, x: int) -> int:
        kernel = self.pick(3, 3, 5, 7)
        return self.dw(x, kernel, self.pick(1, 1, 2), self.padding(x, kernel))

    def pool(self, x: int) -> int:
        kind = ("AVERAGE_POOL_2D", "MAX_POOL_2D")[self.pick(0, 1)]
        if min(self.shape(x)[1:3]) < 2:
            return x
        return self.builder.pool_2d(kind, x, padding=PADDINGS[self.pick(0, 1)])

    def residual(self, x: int) -> int:
        return self.builder.binary("ADD", x, self.conv(x, self.shape(x)[3], self.pick(1, 3, 3, 5)))

    def inverted(self, x: int) -> int:
        channels = self.shape(x)[3]
        y = self.dw(self.conv(x, 3 * channels, 1), self.pick(3, 5, 7))
        return self.builder.binary("ADD", self.conv(y, channels, 1), x)

    def concatenation(self, x: int) -> int:
        channels = self.shape(x)[3]
        parts = [self.conv(x, 4, self.pick(1, 3)), self.dw(x, 3) if self.pick(0, 1) else self.conv(x, 4, 1)]
        return self.builder.concatenation(parts, 3) if channels <= 12 else x

    def squeeze_excite(self, x: int) -> int:
        gate = self.builder.reduce("MEAN", x, [1, 2], keep_dims=True)
        return self.builder.binary("MUL", x, self.builder.logistic(self.conv(gate, self.shape(x)[3], 1)))

    def activation(self, x: int) -> int:
        return self.builder.elementwise("HARD_SWISH", x)

    def model(self) -> bytes:
        height, width, channels = int(self.rng.integers(5, 15)), int(self.rng.integers(2, 9)), self.pick(4, 4, 8)
        x = first = self.builder.input((1, height, width, channels))
        taps: list[int] = []
        for _ in range(int(self.rng.integers(2, 6))):
            x = self.blocks[int(self.rng.integers(len(self.blocks)))](x)
            if self.rng.random() < 0.1 and x != first:
                taps.append(x)
        if self.rng.random() < 0.3:
            x = self.builder.reduce("MEAN", x, [1, 2], keep_dims=True)
        return self.builder.build([x, *dict.fromkeys(tap for tap in taps if tap != x)])


def random_chain(seed: int) -> bytes:
    """The network of ``seed`` as an int8 ``.tflite`` file."""
    return _Chain(seed).model()


def lowered(model: bytes, isa: Isa = Isa.DSP) -> Program:
    """The program of a ``.tflite`` file, before planning."""
    return lower(run_passes(read_graph(model)), Target(isa))
