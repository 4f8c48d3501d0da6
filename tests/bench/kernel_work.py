"""Fits ``tinyml/plan/kernel_work.json``: instructions of each kernel by what it does, from layers counted in emulation.

``python -m tests.bench.kernel_work MODEL …`` profiles the models (``.tflite`` files, catalogue names) on one board of
each instruction set, every layer at once, and rewrites the table; kernels that none of them calls keep their rows. A
kernel's cost of each quantity is never negative (non-negative least squares, Lawson and Hanson 1974), and layers weigh
by the root of their size, so that small ones count, too.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import nnls

from tinyml.boards import load_board
from tinyml.errors import TinymlError
from tinyml.files import write_file
from tinyml.kernels_page import BOARDS
from tinyml.pipeline import Options, profile
from tinyml.pipeline.compiled import compile_model
from tinyml.plan.choose import Goal
from tinyml.plan.kernel_work import TABLE, quantities

Sample = tuple[dict[str, float], int]
Samples = dict[tuple[str, str], list[Sample]]
_LEAST_SHARE = 1e-4
"""Of a kernel's instructions, what a quantity has to explain to be kept."""


def measured(model: str, board: str) -> Iterable[tuple[str, str, Sample]]:
    """Instruction set, kernel, quantities and instructions of each layer of ``model`` on ``board``."""
    options = Options(toolchain="gcc", memory=Goal(0.0))
    program = compile_model(model, board, options).program
    for step, layer in zip(program.steps, profile(model, board, None, options).layers, strict=True):
        yield program.target.isa.value, step.kernel, (quantities(program, step), layer.instructions)


def fit(samples: Sequence[Sample]) -> dict[str, float]:
    """Instructions of each quantity that best give those of ``samples``."""
    names = list(samples[0][0])
    wanted = np.array([max(count, 1) for _, count in samples], float)
    rows = np.array([[row[name] for name in names] for row, _ in samples])
    weights = 1 / np.sqrt(wanted)
    costs, _ = nnls(rows * weights[:, None], wanted * weights, maxiter=1000)
    shares = costs * rows.sum(axis=0) / wanted.sum()
    return {
        name: float(f"{c:.4g}") for name, c, share in zip(names, costs, shares, strict=True) if share > _LEAST_SHARE
    }


def fitted(samples: Samples) -> dict[str, dict[str, dict[str, float]]]:
    """The table: what was there, with the kernels of ``samples`` anew."""
    kept = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}
    for (isa, kernel), found in samples.items():
        kept.setdefault(isa, {})[kernel] = fit(found)
    return {isa: dict(sorted(kernels.items())) for isa, kernels in sorted(kept.items())}


def main(models: Sequence[str]) -> None:
    """Measure, fit, write."""
    samples: Samples = defaultdict(list)
    for model in models:
        for board in BOARDS:
            try:
                for isa, kernel, sample in measured(model, load_board(board).name):
                    samples[isa, kernel].append(sample)
            except TinymlError as error:
                sys.stderr.write(f"{model} on {board} left out: {error.message}\n")
            sys.stderr.write(f"{board} {model}\n")
    write_file(TABLE, json.dumps(fitted(samples), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
