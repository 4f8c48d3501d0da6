"""Code and stack before compiling: estimates from measured kernels.

Every kernel is specialised by the compiler for its literal arguments, so its size depends on them: on how far a loop
is unrolled, on which borders exist, on the clamp. ``code_sizes.json`` holds, for each toolchain, instruction set and
kernel, a linear model of bytes and of stack over simple features of those arguments, fitted by ridge regression to
functions measured in ELF files (:mod:`tinyml.calibrate`), and for each board what the firmware takes besides the
network. The estimates are labelled so everywhere, and every build replaces them by the ELF's own figures.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tinyml.boards import Board
from tinyml.lower.program import Int, Optimize, Program, RowInt, Step
from tinyml.lower.sharing import shared_groups
from tinyml.plan.budget import Sizes

TABLE = Path(__file__).with_name("code_sizes.json")
LARGEST_LITERAL = 64
TURN_CODE_BYTES, MOVING_CODE_BYTES = 90.0, 60.0
"""A step's turn in the function of its segment: whether it is ready, room, pointers; and moving windows."""
TURNS_STACK_BYTES, TURN_STACK_BYTES, MOST_TURNS_STACK_BYTES = 20, 10, 100
"""What the function of a segment keeps on the stack beside a step's own: at least, for each turn, at most."""
ROW_CODE_FACTORS = {"tml_conv2d_mve": 1.7}
"""Kernels that grow where borders are known at run time only (measured on MLPerf Tiny's image classifier)."""
KEEPING_CODE_BYTES, KEEPING_STACK_BYTES = 80.0, 24.0
"""A step that keeps rows from one inference to the next: copies of a literal size."""
SMALLEST_CODE_FACTOR = 0.85
"""Network code by -Os, which ``--optimize size`` takes, over that by -O2 which was fitted (measured: 0.75 to 0.95)."""
SHARED_CALL_BYTES = 28.0
"""A step that only loads four pointers and calls: four literals, four loads, a branch."""


def features(step: Step) -> dict[str, float]:
    """What a step's size may depend on.

    For each integer argument its value (at most 64), whether it is odd, 0 or 1; how far a loop is unrolled; the taps
    of a kernel, which are often unrolled as well.
    """
    found: dict[str, float] = {"1": 1.0, "arguments": float(len(step.args)), "scratch": float(step.scratch_bytes > 0)}
    values = {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}
    for name, value in values.items():
        found[name] = float(max(-LARGEST_LITERAL, min(LARGEST_LITERAL, value)))
        found[f"{name} odd"] = float(value % 2)
        found[f"{name} is 0"] = float(value == 0)
        found[f"{name} is 1"] = float(value == 1)
    if "unroll" in values:
        found["unroll"] = float(values["unroll"])
    if "kernel_h" in values and "kernel_w" in values:
        found["taps"] = float(values["kernel_h"] * values["kernel_w"])
    return found


def assumed_toolchain(toolchain: str) -> str:
    """The toolchain that a build would take for ``auto``: GCC where it is on PATH, zig otherwise."""
    if toolchain != "auto":
        return toolchain
    return "gcc" if shutil.which("arm-none-eabi-gcc") else "zig"


@cache
def _table() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return loaded


def estimate_sizes(program: Program, board: Board, app: str, toolchain: str) -> Sizes:
    """Estimate what the plan does not know: code, stack, ``.data``, ``.bss`` and read-only data besides weights.

    Steps that share a kernel count it once, and a call each. A kernel that was measured with GCC only is taken to be as
    large with zig. A board that was not measured is taken for the measured
    one of its instruction set with the largest firmware, a kernel that was not measured for the largest of its op.
    """
    measured = _table()[assumed_toolchain(toolchain)]
    base = _base(measured["boards"], board, app)
    kernels = _table()["gcc"]["kernels"].get(board.isa_name, {}) | measured["kernels"].get(board.isa_name, {})
    copies = {index for group in shared_groups(program) for index in group[1:]}
    code = [
        SHARED_CALL_BYTES if index in copies else _predict(kernels, step, "code")
        for index, step in enumerate(program.steps)
    ]
    lasts = [_predict(kernels, step.last, "code") for step in program.steps if step.last is not None]
    turns_of = {index: last + 1 - first for first, last in program.segments for index in range(first, last + 1)}
    stack = [
        _predict(kernels, step, "stack") + _turns_stack_bytes(turns_of.get(index, 0))
        for index, step in enumerate(program.steps)
    ]
    helpers = measured["helpers"].get(board.isa_name, {})
    shared = (
        sum(helpers["code"].get(kernel, 0.0) for kernel in {step.kernel for step in program.steps}) if helpers else 0
    )
    turns = sum(last + 1 - first for first, last in program.segments)
    rows_code = turns * TURN_CODE_BYTES + (MOVING_CODE_BYTES if turns else 0.0)
    network_code = sum(code) + sum(lasts) + shared + rows_code
    smallest = program.target.optimize is Optimize.SIZE
    return Sizes(
        code_bytes=round(base["code_bytes"] + network_code * (SMALLEST_CODE_FACTOR if smallest else 1.0)),
        stack_bytes=round(base["stack_bytes"] + max(stack, default=0.0) + helpers.get("stack", 0)),
        data_bytes=base["data_bytes"],
        bss_bytes=base["bss_bytes"],
        exact=False,
        constants_bytes=base["constants_bytes"],
    )


def _turns_stack_bytes(turns: int) -> int:
    return min(TURNS_STACK_BYTES + TURN_STACK_BYTES * turns, MOST_TURNS_STACK_BYTES) if turns else 0


def _base(boards: Mapping[str, Any], board: Board, app: str) -> dict[str, int]:
    known = boards.get(f"{board.name}/{app}")
    if known is None:
        alike = [b for b in boards.values() if b["isa"] == board.isa_name] or list(boards.values())
        known = max(alike, key=lambda b: b["code_bytes"])
    return {key: int(value) for key, value in known.items() if key.endswith("_bytes")}


def _predict(kernels: Mapping[str, Any], step: Step, quantity: str) -> float:
    at_run_time = quantity == "code" and any(isinstance(arg, RowInt) for arg in step.args)
    return _fitted(kernels, step, quantity) * (ROW_CODE_FACTORS.get(step.kernel, 1.0) if at_run_time else 1.0)


def _fitted(kernels: Mapping[str, Any], step: Step, quantity: str) -> float:
    if step.keeps:
        return KEEPING_CODE_BYTES if quantity == "code" else KEEPING_STACK_BYTES
    model = kernels.get(step.kernel)
    if model is None:
        alike = [m for m in kernels.values() if m["op"] == step.kind] or list(kernels.values())
        return float(max((m[quantity]["largest"] for m in alike), default=0.0))
    fitted = model[quantity]
    found = features(step)
    value = sum(weight * found.get(name, 0.0) for name, weight in fitted["weights"].items())
    return float(min(max(value, fitted["smallest"]), fitted["largest"]))


def fit(samples: Sequence[tuple[Mapping[str, float], float]], ridge: float) -> dict[str, Any]:
    """A ridge regression of ``samples``, (features, bytes) pairs, as ``code_sizes.json`` keeps it.

    Features that never vary are left to the constant; predictions are held within what was measured.
    """
    import numpy as np

    names = sorted({name for found, _ in samples for name in found})
    rows = np.array([[found.get(name, 0.0) for name in names] for found, _ in samples])
    values = np.array([value for _, value in samples])
    varying = [i for i in range(len(names)) if np.ptp(rows[:, i]) > 0]
    scale = np.array([np.ptp(rows[:, i]) for i in varying])
    centred = (rows[:, varying] - rows[:, varying].mean(axis=0)) / scale if varying else np.zeros((len(rows), 0))
    gram = centred.T @ centred + ridge * np.eye(len(varying))
    weights = np.linalg.solve(gram, centred.T @ (values - values.mean())) / scale if varying else np.zeros(0)
    constant = values.mean() - float(rows[:, varying].mean(axis=0) @ weights) if varying else values.mean()
    kept = {names[i]: round(float(w), 4) for i, w in zip(varying, weights, strict=True) if abs(w) > 1e-4}
    return {
        "weights": {"1": round(float(constant), 3), **kept},
        "smallest": float(values.min()),
        "largest": float(values.max()),
        "samples": len(samples),
    }
