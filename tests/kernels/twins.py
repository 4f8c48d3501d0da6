"""FULLY_CONNECTED with two roundings, as TFLM rounds, proven without a second runtime.

LiteRT's convolution of a single pixel is the same sum and rounds twice, so it is the oracle of its dense twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.kernels.cases import Rng, model
from tests.support.step_build import Case
from tests.support.tflite_builder import Builder
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

Shape = tuple[int, int, int, bool, str]


@dataclass(frozen=True, slots=True)
class Twins:
    """A fully connected layer and a convolution of one pixel with the same weights."""

    depth: int
    weights: np.ndarray
    scales: list[float]
    bias: np.ndarray
    zero_in: int
    zero_out: int
    activation: str

    def dense(self, b: Builder) -> int:
        x = b.input((1, self.depth), scale=0.05, zero_point=self.zero_in)
        return b.fully_connected(
            x, self.weights, self.scales, self.bias, scale=0.4, zero_point=self.zero_out, activation=self.activation
        )

    def convolution(self, b: Builder) -> int:
        x = b.input((1, 1, 1, self.depth), scale=0.05, zero_point=self.zero_in)
        return b.conv_2d(
            x, self.weights[:, None, None, :], self.scales, self.bias, scale=0.4, zero_point=self.zero_out,
            activation=self.activation,
        )  # fmt: skip


def twin_cases(shapes: Sequence[Shape], isa: Isa, kernel: str) -> list[tuple[Case, Reference]]:
    """Dense layers of ``shapes`` lowered with two roundings to ``kernel``, each with the convolution that it equals."""
    made = []
    for seed, (_, depth, channels, _, activation) in enumerate(shapes):
        rng = Rng(seed)
        zero_out = -128 if activation == "RELU" else rng.zero_point()
        twins = Twins(
            depth, rng.weights(channels, depth), rng.scales(channels), rng.bias(channels), rng.zero_point(), zero_out,
            activation,
        )  # fmt: skip
        graph = read_graph(model(twins.dense), match="tflm")
        (step,) = lower(graph, Target(isa)).steps
        assert step.kernel == kernel
        made.append((Case(graph, step), Reference(model(twins.convolution))))
    return made


def wanted(reference: Reference, x: np.ndarray) -> list[np.ndarray]:
    """The dense layer's output for ``x`` of shape [1, depth], by its twin."""
    return [output.reshape(1, -1) for output in reference.run([x.reshape(1, 1, 1, -1)])]
