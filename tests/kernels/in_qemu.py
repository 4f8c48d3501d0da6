"""Single-op models lowered for MVE and proven on a Cortex-M55 in QEMU, step by step, against the reference kernels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.kernels.on_core import Expected, assert_equal, lowered
from tests.support.host_build import random_inputs
from tests.support.qemu_steps import run_in_qemu
from tests.support.step_build import Case
from tinyml.lower.program import Isa, Optimize


def prove_on_m55(
    models: Sequence[Expected],
    directory: Path,
    *,
    compiler: str = "gcc",
    optimise: str = "-O2",
    optimize: Optimize = Optimize.BALANCED,
    match: str = "litert",
    count: int = 2,
) -> None:
    """Run every model on extreme and random inputs, in place too where the step allows it; every byte has to match."""
    cases, references, names = [], [], []
    for expected in models:
        reference, graph, step = lowered(expected.model, optimize, match, Isa.MVE)
        assert step.kernel == expected.kernel, f"{expected.what}: {step.kernel} was chosen"
        for in_place in (False, True)[: 1 + ((0, 0) in step.in_place)]:
            cases.append(Case(graph, step, in_place))
            references.append(reference)
            names.append(f"{expected.what}{' in place' if in_place else ''}")
    inputs = [random_inputs([case.graph.tensors[t] for t in case.step.inputs], count) for case in cases]
    results = run_in_qemu(cases, inputs, directory, compiler=compiler, optimise=optimise)
    for reference, runs, outputs, name in zip(references, inputs, results, names, strict=True):
        for one, got in zip(runs, outputs, strict=True):
            assert_equal(got, reference.run(one), name)
