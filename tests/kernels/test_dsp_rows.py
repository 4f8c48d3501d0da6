"""Layers on DSP kernels that run row by row, with padding above and below: every byte as the reference kernels'."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support import arithmetic_builder as add
from tests.support.core_networks import CoreProgram
from tests.support.host_build import compile_network, first_difference, input_bytes, random_inputs
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa
from tinyml.plan.choose import Goal
from tinyml.tflite.reference import Reference

Layer = Callable[[Builder, int], int]
RNG = np.random.default_rng(0)
WEIGHTS, SLOPES = (RNG.integers(-127, 128, shape).astype(np.int8) for shape in ((1, 3, 3, 8), (1, 1, 8)))


def pooled(kind: str, size: tuple[int, int], stride: tuple[int, int]) -> Layer:
    return lambda b, x: b.pool_2d(kind, x, size=size, stride=stride, padding="SAME")


def dilated(b: Builder, x: int) -> int:
    return b.depthwise_conv_2d(x, WEIGHTS, 0.004, padding="SAME", dilation=(2, 2))


def sloped(b: Builder, x: int) -> int:
    return add.broadcast(b, "PRELU", x, b.constant(SLOPES, scale=0.002, zero_point=-3), scale=0.06)


LAYERS: dict[str, tuple[Layer, str]] = {
    "maximum": (pooled("MAX_POOL_2D", (3, 3), (1, 1)), "tml_max_pool2d_dsp"),
    "maximum of two": (pooled("MAX_POOL_2D", (3, 2), (2, 2)), "tml_max_pool2d_dsp"),
    "average": (pooled("AVERAGE_POOL_2D", (3, 3), (1, 1)), "tml_average_pool2d_dsp"),
    "average of many": (pooled("AVERAGE_POOL_2D", (5, 4), (2, 1)), "tml_average_pool2d_dsp"),
    "dilated": (dilated, "tml_depthwise_clipped_dsp"),
    "slopes": (sloped, "tml_prelu_dsp"),
    "product": (lambda b, x: b.binary("MUL", x, b.constant(SLOPES, scale=0.03), scale=0.06), "tml_mul_dsp"),
    "table": (lambda b, x: b.leaky_relu(x, 0.3), "tml_lookup_dsp"),
}


def model_of(layer: Layer) -> bytes:
    """A wide convolution before the layer, which is not worth keeping whole, makes the planner want rows."""
    b = Builder()
    x = b.input((1, 9, 12, 4), scale=0.05, zero_point=-7)
    x = b.conv_2d(x, RNG.integers(-127, 128, (8, 1, 1, 4)), 0.004, RNG.integers(-900, 900, 8))
    return b.build([b.reduce("MEAN", layer(b, x), (1, 2))])


@pytest.mark.parametrize("fed_by_rows", [False, True])
def test_by_rows(fed_by_rows: bool, tmp_path: Path) -> None:
    goal = Goal(math.inf, fed_by_rows=fed_by_rows)
    networks = [
        compile_network(model_of(layer), f"net{i}", isa=Isa.DSP, goal=goal, canaries=True)
        for i, (layer, _) in enumerate(LAYERS.values())
    ]
    program = CoreProgram(networks, "cortex-m4", tmp_path)
    for network, (name, (_, kernel)) in zip(networks, LAYERS.items(), strict=True):
        inside = [network.program.steps[i].kernel for a, b in network.program.segments for i in range(a, b + 1)]
        assert kernel in inside, f"{name}: {inside}"
        reference = Reference(network.model)
        for arrays in random_inputs(network.input_tensors, 1):
            assert first_difference(network, arrays, program.run(network, input_bytes(arrays)), reference) is None, name
