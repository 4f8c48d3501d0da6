"""Layers in segments whose operands or borders differ from row to row."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.support.core_networks import CoreProgram
from tests.support.host_build import compile_network, first_difference, input_bytes, prove_networks, random_inputs
from tests.support.shared import require_module
from tests.support.tflite_builder import Builder
from tinyml.lower.program import Isa
from tinyml.plan.choose import Goal
from tinyml.tflite.reference import Reference


@pytest.mark.parametrize(
    ("shape", "by_rows"),
    [((6, 5, 8), False), ((1, 6, 5, 8), False), ((6, 1, 1), False), ((1, 5, 8), True), ((5, 8), True), ((8,), True)],
    ids=str,
)
@pytest.mark.parametrize("kind", ["SUB", "MUL"])
def test_constant_operands(kind: str, shape: tuple[int, ...], by_rows: bool, tmp_path: Path) -> None:
    """A wide convolution before it, which is not worth keeping whole, makes the planner want rows."""
    builder = Builder()
    rng = np.random.default_rng(0)
    x = builder.conv_2d(builder.input((1, 6, 5, 4), scale=0.05), rng.integers(-127, 128, (8, 3, 3, 4)), 0.002)
    constant = rng.integers(-128, 128, shape).astype(np.int8)
    y = builder.binary(kind, x, builder.constant(constant, scale=0.03), scale=0.05)
    model = builder.build([builder.reduce("MEAN", builder.logistic(y), (1, 2))])
    network = compile_network(model, "net", goal=Goal(math.inf), canaries=True)
    place = next(i for i, step in enumerate(network.program.steps) if step.kind == kind)
    assert any(first <= place <= last for first, last in network.program.segments) == by_rows
    prove_networks([network], tmp_path, 1)


def tall_model(kind: str) -> bytes:
    """A layer with a kernel of five rows and one column: padding above and below, none beside."""
    builder = Builder()
    rng = np.random.default_rng(1)
    x = builder.input((1, 7, 12, 4), scale=0.05, zero_point=-7)
    x = builder.conv_2d(x, rng.integers(-127, 128, (8, 1, 1, 4)), 0.004, rng.integers(-900, 900, 8))
    if kind == "conv":
        x = builder.conv_2d(x, rng.integers(-127, 128, (8, 5, 1, 8)), 0.002, rng.integers(-900, 900, 8))
    else:
        x = builder.depthwise_conv_2d(x, rng.integers(-127, 128, (1, 5, 1, 8)), 0.003, rng.integers(-90, 90, 8))
    return builder.build([builder.reduce("MEAN", builder.logistic(x), (1, 2))])


GOALS = (Goal(math.inf), Goal(math.inf, fed_by_rows=True))


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
def test_padding_above_and_below_only(kind: str, tmp_path: Path) -> None:
    model = tall_model(kind)
    networks = [compile_network(model, f"net{i}", goal=goal, canaries=True) for i, goal in enumerate(GOALS)]
    assert all(network.program.segments for network in networks)
    prove_networks(networks, tmp_path, 1)


@pytest.mark.parametrize(("core", "isa"), [("cortex-m4", Isa.DSP), ("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)])
def test_padding_above_and_below_only_on_a_core(core: str, isa: Isa, tmp_path: Path) -> None:
    require_module("unicorn")
    networks = [
        compile_network(tall_model(kind), f"{kind}{i}", isa=isa, goal=goal, canaries=True)
        for kind in ("conv", "depthwise")
        for i, goal in enumerate(GOALS)
    ]
    program = CoreProgram(networks, core, tmp_path)
    for network in networks:
        reference = Reference(network.model)
        for arrays in random_inputs(network.input_tensors, 1):
            assert first_difference(network, arrays, program.run(network, input_bytes(arrays)), reference) is None
