"""Functions of one value on the MVE kernels: every value, whole vectors and every remainder, in place too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernels.cases import model
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected
from tests.support.tflite_builder import Builder

LOOKUP, CLAMP = "tml_lookup_mve", "tml_clamp_values_mve"


def one(elements: int, add: Callable[[Builder, int], int]) -> bytes:
    def build(b: Builder) -> int:
        return add(b, b.input((1, elements), scale=0.05, zero_point=3))

    return model(build)


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_every_size(compiler: str, tmp_path: Path) -> None:
    cases = []
    for elements in (1, 15, 16, 17, 500):
        cases += [
            Expected(one(elements, lambda b, x: b.logistic(x)), LOOKUP, f"LOGISTIC of {elements}"),
            Expected(one(elements, lambda b, x: b.tanh(x)), LOOKUP, f"TANH of {elements}"),
            Expected(one(elements, lambda b, x: b.leaky_relu(x, 0.2)), LOOKUP, f"LEAKY_RELU of {elements}"),
            Expected(
                one(elements, lambda b, x: b.elementwise("RELU6", x, scale=0.05, zero_point=3)), CLAMP,
                f"RELU6 of {elements}",
            ),
        ]  # fmt: skip
    prove_on_m55(cases, tmp_path, compiler=compiler, count=4)
