"""Binary ops in segments: an operand that differs from row to row keeps the op out of one, whatever its rank."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.support.host_build import compile_network, prove_networks
from tests.support.tflite_builder import Builder
from tinyml.plan.choose import Goal


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
