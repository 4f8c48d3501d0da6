"""Random convolutions of several groups: shapes, parameters and quantisations from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import model
from tests.kernels.on_core import assert_equal
from tests.kernels.rows import RowProgram, row_layer
from tests.support.host_build import random_inputs
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Target


@dataclass(frozen=True, slots=True)
class Grouped:
    """A convolution of several groups; channels are those of one group."""

    height: int
    width: int
    groups: int
    depth: int
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "SAME"
    activation: str = "NONE"

    @property
    def is_pointwise(self) -> bool:
        """Whether a window is a pixel and every pixel has one."""
        return self.kernel == (1, 1) and self.stride == (1, 1)


SHAPES = [
    Grouped(6, 6, 2, 8, 8),
    Grouped(6, 6, 3, 24, 6, activation="RELU"),
    Grouped(5, 5, 4, 4, 1),
    Grouped(3, 3, 7, 3, 1),
    Grouped(1, 1, 4, 35, 32),
    Grouped(1, 2, 2, 5, 3),
    Grouped(2, 2, 2, 70, 5, activation="RELU6"),
    Grouped(1, 7, 5, 2, 2, padding="VALID"),
    Grouped(6, 6, 2, 4, 3, (3, 3), activation="RELU"),
    Grouped(8, 7, 4, 4, 1, (3, 3)),
    Grouped(6, 6, 3, 2, 3, (3, 2), (2, 1)),
    Grouped(9, 9, 2, 3, 2, (3, 3), dilation=(2, 2)),
    Grouped(9, 8, 2, 5, 3, (3, 2), dilation=(1, 3), padding="VALID"),
    Grouped(7, 7, 2, 20, 4, (3, 3), (2, 2), activation="RELU6"),
    Grouped(4, 2, 2, 3, 5, (5, 5)),
    Grouped(9, 1, 2, 6, 2, (3, 1)),
    Grouped(1, 9, 3, 4, 2, (1, 4), (1, 2), activation="RELU_N1_TO_1"),
    Grouped(8, 8, 2, 3, 2, (2, 2), (3, 3), padding="VALID"),
    Grouped(5, 4, 2, 7, 4, (1, 1), (2, 2)),
]
"""Every edge that a kernel has, among them rows shorter than a block and windows larger than the input."""


def drawn_shape(draw: Draw) -> Grouped:
    """A shape from a seed: networks' kernels most often, groups from 2 up."""
    kernel = draw.pick((1, 1), (1, 1), (3, 3), (3, 3), (1, 3), (3, 1), (5, 5), (2, 2), (draw.size(5), draw.size(5)))
    padding = draw.pick("SAME", "VALID")
    dilation = (draw.size(2), draw.size(3)) if draw.flag(0.2) else (1, 1)
    stride = (1, 1) if draw.flag(0.6) or dilation != (1, 1) else (draw.size(3), draw.size(3))
    least = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)] if padding == "VALID" else [1, 1]
    height, width = (n + draw.size(8) - 1 for n in least)
    depth = draw.pick(2, 3, 4, 8, draw.size(20, 2))
    channels = draw.pick(1, 2, 4, draw.size(12))
    activation = draw.pick("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
    groups = draw.pick(2, 3, 4, draw.size(9, 2))
    return Grouped(height, width, groups, depth, channels, kernel, stride, dilation, padding, activation)


def grouped_model(shape: Grouped, draw: Draw) -> bytes:
    """The shape with random weights and quantisation, by channel or whole, with or without biases."""

    def build(b: Builder) -> int:
        x = b.input(
            (1, shape.height, shape.width, shape.groups * shape.depth), scale=0.05, zero_point=draw.zero_point()
        )
        outputs = shape.groups * shape.channels
        weights = draw.rng.integers(-127, 128, (outputs, *shape.kernel, shape.depth)).astype(np.int8)
        bias = draw.rng.integers(-5000, 5001, outputs).astype(np.int32) if draw.flag(0.8) else None
        scales = [draw.scale(0.001, 0.02) for _ in range(outputs)] if draw.flag(0.8) else draw.scale(0.001, 0.02)
        return b.conv_2d(
            x, weights, scales, bias, scale=draw.pick(0.4, 0.1, 2.0), zero_point=draw.zero_point(),
            stride=shape.stride, dilation=shape.dilation, padding=shape.padding, activation=shape.activation,
        )  # fmt: skip

    return model(build)


def prove_rows(
    shapes: list[Grouped], target: Target, core: str, kernel: str, directory: Path, *, watch_reads: bool = False
) -> None:
    """Every shape with a call for each row of output, from windows that are cut off at the borders."""
    layers = [row_layer(grouped_model(shape, Draw(seed)), target) for seed, shape in enumerate(shapes)]
    assert {layer.step.kernel for layer in layers} == {kernel}
    program = RowProgram(layers, core, directory, optimise="-O2")
    for index, (layer, shape) in enumerate(zip(layers, shapes, strict=True)):
        for inputs in random_inputs([layer.graph.tensors[t] for t in layer.graph.inputs], 1):
            got = program.run(index, inputs[0], watch_reads=watch_reads)
            assert_equal([got], layer.reference.run(inputs), f"{shape} by rows")
