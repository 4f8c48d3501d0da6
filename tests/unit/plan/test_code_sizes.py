"""The table of code sizes: no kernel that lowering chooses is missing in it."""

from __future__ import annotations

import json

import pytest

from tests.bench.step_sizes import models
from tinyml.errors import UnsupportedError
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.plan.code_size import TABLE
from tinyml.tflite.read import read_graph


@pytest.mark.parametrize("isa", [Isa.DSP, Isa.MVE, Isa.V6M, Isa.V7M])
def test_every_kernel_that_is_chosen_is_measured(isa: Isa) -> None:
    """Random models of every op; ``python -m tests.bench.step_sizes`` adds what is missing."""
    measured = set(json.loads(TABLE.read_text(encoding="utf-8"))["gcc"]["kernels"][isa.value])
    chosen: set[str] = set()
    for data in models(seeds=2):
        try:
            chosen |= {step.kernel for step in lower(run_passes(read_graph(data)), Target(isa)).steps}
        except UnsupportedError:
            continue
    assert len(chosen) > 40
    assert sorted(chosen - measured) == []
