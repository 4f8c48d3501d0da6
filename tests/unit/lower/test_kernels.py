"""The selection table says why the portable kernel runs where a faster one exists."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import lowered
from tests.support.tflite_builder import Builder
from tinyml.lower.kernels import KERNELS, PORTABLE
from tinyml.lower.program import Isa, PassedOver


def large_sums(b: Builder) -> int:
    x = b.input((1, 602), scale=0.05)
    return b.fully_connected(x, np.full((2, 602), 127, np.int8), 0.01, scale=300.0)


def small_sums(b: Builder) -> int:
    x = b.input((1, 16), scale=0.05)
    return b.fully_connected(x, Rng(1).weights(4, 16), 0.01, scale=0.4)


def test_why_the_fast_kernel_does_not_run_is_said() -> None:
    step = lowered(model(large_sums), isa=Isa.DSP)[2]
    assert step.kernel == "tml_fully_connected_v6m"
    passed_over = {
        "bits, counted by carry-save adders": "weights of two values, but its input may take 256",
        "SMLAD on 4 channels": "an accumulator may reach 9786112, packing holds to 8388608",
        "SMLAD on 4 channels, accumulators beyond 24 bits": "inputs in eights, here 602",
    }
    said = "; ".join(f"not '{kernel}': {cause}" for kernel, cause in list(passed_over.items())[:2])
    assert step.reason.startswith("6 channels at a time; ")
    assert step.reason.endswith(f"; {said}")
    assert step.passed_over == tuple(PassedOver(kernel, cause) for kernel, cause in passed_over.items())


@pytest.mark.parametrize(("isa", "reason"), [(Isa.DSP, "SMLAD on 4 channels"), (Isa.PORTABLE, PORTABLE)])
def test_nothing_is_said_where_nothing_faster_was_passed_over(isa: Isa, reason: str) -> None:
    assert lowered(model(small_sums), isa=isa)[2].reason.split(";")[0] == reason
    assert "not" not in lowered(model(small_sums), isa=isa)[2].reason


def test_every_op_ends_with_a_portable_row() -> None:
    last = {row.kind: row for row in KERNELS}
    assert {row.note for row in last.values()} == {PORTABLE}
