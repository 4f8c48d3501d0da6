"""Every op over random shapes, parameters and quantisations: a hundred cases here, two thousand in the sweep.

The numbers go into the kernels at run time, so that thousands of cases take seconds; what the compiler makes of literal
numbers is for the tests of generated C.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernels import (
    arithmetic_cases,
    layer_cases,
    logic_cases,
    move_cases,
    test_arithmetic,
    test_fused,
    test_layer_norm,
    test_lstm,
    test_whole_norm,
)
from tests.support.native_kernels import NativeKernels
from tests.support.native_programs import prove_in_turn, prove_programs
from tests.support.tflite_builder import Builder
from tinyml.graph.ops import SPECS

IN_CI, IN_SWEEP, FIRST_OF_SWEEP = 100, 2000, 10_000

Case = Callable[[int], bytes]


def _of_draw(make: Callable[[arithmetic_cases.Draw], bytes]) -> Case:
    return lambda seed: make(arithmetic_cases.Draw(seed))


def _of_outputs(make: Callable[[Builder, move_cases.Draw], list[int] | int]) -> Case:
    def case(seed: int) -> bytes:
        b = Builder()
        outputs = make(b, move_cases.Draw(seed))
        return b.build([outputs] if isinstance(outputs, int) else outputs)

    return case


CASES: dict[str, Case] = {
    **{kind: _of_draw(make) for kind, make in layer_cases.CASES.items()},
    **{kind: _of_outputs(make) for kind, make in move_cases.MOVE_CASES.items()},
    **{f"int32 {kind}" if kind in ("ADD", "SUB", "MUL") else kind: _of_outputs(make)
       for kind, make in logic_cases.CASES.items()},
}  # fmt: skip
STATEFUL: dict[str, Case] = {kind: _of_draw(make) for kind, make in layer_cases.STATEFUL.items()}
ELSEWHERE = {
    "LOOKUP": (test_fused.RANDOM, test_fused.SWEEP),
    "WHOLE_NORM": (test_whole_norm.RANDOM, test_whole_norm.SWEEP),
    "LAYER_NORM": (test_layer_norm.RANDOM, test_layer_norm.SWEEP),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (test_lstm.RANDOM, test_lstm.SWEEP),
    **dict.fromkeys(
        (*arithmetic_cases.CASES, *test_arithmetic.CURVES), (test_arithmetic.RANDOM, test_arithmetic.SWEEP)
    ),
}
"""Op → cases for every run of the tests and in the sweep, where another module has them."""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> NativeKernels:
    folder: Path = tmp_path_factory.mktemp("native")
    return NativeKernels(folder)


def test_every_op_has_as_many_cases() -> None:
    here = {word for kind in (*CASES, *STATEFUL) for word in kind.split(" and ")}
    assert set(SPECS) <= here | set(ELSEWHERE)
    assert min((IN_CI, *(count for count, _ in ELSEWHERE.values()))) >= 100
    assert min((IN_SWEEP, *(count for _, count in ELSEWHERE.values()))) >= 2000


@pytest.mark.parametrize("kind", CASES)
def test_cases(kind: str, native: NativeKernels) -> None:
    prove_programs([CASES[kind](seed) for seed in range(IN_CI)], native)


@pytest.mark.parametrize("kind", STATEFUL)
def test_cases_with_variables(kind: str, native: NativeKernels) -> None:
    prove_in_turn([STATEFUL[kind](seed) for seed in range(IN_CI)], native)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", CASES)
def test_sweep(kind: str, native: NativeKernels) -> None:
    prove_programs([CASES[kind](seed) for seed in range(FIRST_OF_SWEEP, FIRST_OF_SWEEP + IN_SWEEP)], native)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", STATEFUL)
def test_sweep_with_variables(kind: str, native: NativeKernels) -> None:
    prove_in_turn([STATEFUL[kind](seed) for seed in range(FIRST_OF_SWEEP, FIRST_OF_SWEEP + IN_SWEEP)], native)
