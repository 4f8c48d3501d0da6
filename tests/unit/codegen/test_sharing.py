"""Kernels that several steps share: which steps do, and that the C calls them."""

from __future__ import annotations

import re

import numpy as np

from tests.support.tflite_builder import Builder
from tinyml.codegen import generate
from tinyml.codegen.sharing import shared_kernels
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Program, Target
from tinyml.plan.planner import make_plan
from tinyml.tflite.read import read_graph


def chain(scales: list[float]) -> Program:
    """Dense layers of one shape, one for each output scale, then a softmax."""
    builder = Builder()
    x = builder.input((1, 8), scale=0.1, zero_point=0)
    rng = np.random.default_rng(1)
    for scale in scales:
        weights = rng.integers(-127, 128, (8, 8)).astype(np.int8)
        x = builder.fully_connected(x, weights, 0.01, scale=scale, zero_point=round(scale * 10))
    return lower(read_graph(builder.build([builder.softmax(x)])), Target(Isa.PORTABLE))


def test_steps_with_equal_numbers_share_a_function() -> None:
    program = chain([0.1, 0.1, 0.1])
    shared = shared_kernels(program, "network")
    assert set(shared) == {0, 1, 2}
    assert len(set(shared.values())) == 1
    text = generate(program, make_plan(program))["network.c"]
    assert text.count("TML_SHARED void network_kernel_000(") == 1
    assert len(re.findall(r"^ +network_kernel_000\($", text, re.MULTILINE)) == 3


def test_other_numbers_do_not_share() -> None:
    program = chain([0.1, 0.5, 0.9])
    assert shared_kernels(program, "network") == {}
    assert "TML_SHARED" not in generate(program, make_plan(program))["network.c"]


def test_two_groups() -> None:
    shared = shared_kernels(chain([0.1, 0.1, 0.5, 0.5, 0.5]), "net")
    assert {i: shared[i].symbol for i in shared} == {
        0: "net_kernel_000", 1: "net_kernel_000", 3: "net_kernel_003", 4: "net_kernel_003",
    }  # fmt: skip
