"""Functions of one value on the DSP kernel: every value, whole turns and every remainder, in place too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.on_core import Expected, prove_on_core
from tests.kernels.test_mve_elementwise import one

LOOKUP, CLAMP = "tml_lookup_dsp", "tml_clamp"


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_every_size(core: str, compiler: str, tmp_path: Path) -> None:
    cases = []
    for elements in (1, 7, 8, 9, 15, 16, 500):
        cases += [
            Expected(one(elements, lambda b, x: b.logistic(x)), LOOKUP, f"LOGISTIC of {elements}"),
            Expected(one(elements, lambda b, x: b.leaky_relu(x, 0.2)), LOOKUP, f"LEAKY_RELU of {elements}"),
            Expected(one(elements, lambda b, x: b.elementwise("RELU6", x, scale=0.05, zero_point=3)), CLAMP, "RELU6"),
        ]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler)
