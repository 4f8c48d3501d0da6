"""Instructions of whole layers by what their kernels do: the fit, the table, and layers that run by rows."""

from __future__ import annotations

import math

import pytest

from tests.bench.kernel_work import fit
from tests.support.host_build import compile_network
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tinyml.lower.program import Isa
from tinyml.plan.choose import Goal
from tinyml.plan.kernel_work import _table, quantities, whole_work
from tinyml.plan.latency import estimate_instructions

NEWEST = {
    "dsp": ("grouped_conv2d_dsp", "grouped_pointwise_dsp", "transpose_conv_dsp", "attention_dsp", "layer_norm_dsp",
            "whole_norm_dsp", "fully_connected_shared_dsp", "prelu"),
    "mve": ("grouped_conv2d_mve", "grouped_pointwise_mve", "transpose_conv_mve", "attention_mve", "layer_norm_mve",
            "whole_norm_mve", "prelu"),
    "v6m": ("grouped_conv2d_v6m", "grouped_pointwise_v6m", "transpose_conv", "attention", "layer_norm", "whole_norm"),
    "v7m": ("grouped_conv2d_v6m", "grouped_pointwise_v6m", "transpose_conv", "attention", "layer_norm", "whole_norm"),
}  # fmt: skip


@pytest.mark.parametrize("isa", NEWEST)
def test_kernels_of_every_kind_are_measured(isa: str) -> None:
    assert {f"tml_{kernel}" for kernel in NEWEST[isa]} <= set(_table()[isa])
    assert all(cost > 0 for kernel in _table()[isa].values() for cost in kernel.values())


def test_a_fit_finds_what_each_quantity_costs() -> None:
    samples = [({"call": 1.0, "products": p, "outputs": o}, round(40 + 0.5 * p + 6 * o)) for p, o in
               ((1000.0, 10.0), (400.0, 90.0), (5000.0, 33.0), (70.0, 700.0))]  # fmt: skip
    found = fit(samples)
    assert found == pytest.approx({"call": 40, "products": 0.5, "outputs": 6}, rel=0.02)


def test_every_quantity_of_the_table_is_one_that_a_step_has() -> None:
    program = compile_network(sample_of_every_op(), isa=Isa.DSP, goal=Goal(0.0)).program
    known = set(quantities(program, program.steps[0]))
    assert all(set(costs) <= known for kernels in _table().values() for costs in kernels.values())
    assert all((whole_work(program, step) or 0) >= 0 for step in program.steps)


def test_a_kernel_that_was_not_measured_is_not_known() -> None:
    program = compile_network(sample_conv_model(), goal=Goal(0.0)).program
    assert {whole_work(program, step) for step in program.steps} == {None}


def test_a_layer_does_by_rows_what_it_does_at_once() -> None:
    """Products, pixels and outputs are those of the layer; by rows a network takes more, but not much."""
    whole, by_rows = (compile_network(sample_conv_model(), isa=Isa.DSP, goal=Goal(g)).program for g in (0.0, math.inf))
    assert by_rows.segments
    for one, other in zip(whole.steps, by_rows.steps, strict=True):
        if one.kernel == other.kernel:
            for name in ("products", "outputs", "pixels", "strips", "channels"):
                assert quantities(whole, one)[name] == quantities(by_rows, other)[name], (one.kernel, name)
    assert estimate_instructions(whole) < estimate_instructions(by_rows) < 3 * estimate_instructions(whole)
