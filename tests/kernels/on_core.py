"""Single-op models lowered for the DSP extension and proven on a core, step by step, against the reference kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.host_build import random_inputs
from tests.support.step_build import Array, Case, StepProgram
from tinyml.graph.ir import Graph
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Step, Target
from tinyml.tflite.reference import Reference


@dataclass(frozen=True, slots=True)
class Expected:
    """A model of one op, the kernel that has to be chosen for it, and what the model tests."""

    model: bytes
    kernel: str
    what: str


def lowered(
    model: bytes,
    optimize: Optimize = Optimize.BALANCED,
    match: str = "litert",
    isa: Isa = Isa.DSP,
    data_cache_bytes: int | None = None,
) -> tuple[Reference, Graph, Step]:
    """The reference, the graph and the only step of a model of one op."""
    reference = Reference(model, match)
    (step,) = lower(reference.graph, Target(isa, optimize, data_cache_bytes=data_cache_bytes)).steps
    return reference, reference.graph, step


def prove_on_core(
    models: Sequence[Expected],
    directory: Path,
    *,
    core: str = "cortex-m4",
    compiler: str = "gcc",
    optimise: str = "-O3",
    optimize: Optimize = Optimize.BALANCED,
    isa: Isa = Isa.DSP,
    data_cache_bytes: int | None = None,
    count: int = 2,
) -> None:
    """Run every model on extreme and random inputs, in place too where the step allows it; every byte has to match."""
    cases: list[Case] = []
    proofs: list[tuple[Expected, Reference]] = []
    for expected in models:
        reference, graph, step = lowered(expected.model, optimize, isa=isa, data_cache_bytes=data_cache_bytes)
        assert step.kernel == expected.kernel, f"{expected.what}: {step.kernel} was chosen"
        for in_place in (False, True)[: 1 + bool(step.in_place)]:
            cases.append(Case(graph, step, in_place))
            proofs.append((expected, reference))
    program = StepProgram(cases, core, directory, compiler=compiler, optimise=optimise)
    for index, (case, (expected, reference)) in enumerate(zip(cases, proofs, strict=True)):
        for inputs in random_inputs([case.graph.tensors[t] for t in case.step.inputs], count):
            wanted = reference.run(inputs)
            got = program.run(index, inputs).outputs
            where = f"{expected.what}{' in place' if case.in_place else ''}"
            assert_equal(got, wanted, where)


def assert_equal(got: Sequence[Array], wanted: Sequence[Array], where: str) -> None:
    """Every byte is equal; otherwise says how many are not, and the first of them."""
    for left, right in zip(got, wanted, strict=True):
        different = np.argwhere(left.reshape(right.shape) != right)
        assert not len(different), f"{where}: {len(different)} of {right.size} differ, the first at {different[0]}"
