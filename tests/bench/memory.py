"""Arenas of every kind of plan beside other engines': `python -m tests.bench.memory` prints them, `make bench` as well.

The programs are lowered for a Cortex-M4 with DSP extension; no firmware is built. Catalogue models are converted first,
which takes a minute each. Writes build/bench-memory.json.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.anchors import MODEL_FILES, TFLM_ARENA_BYTES, TINYENGINE_ARENA_BYTES
from tests.support.shared import shared_dir
from tinyml.cli.output import print_table
from tinyml.errors import TinymlError
from tinyml.files import write_file
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Program, Target
from tinyml.plan.choose import Goal, choose_plan
from tinyml.sources import load_source
from tinyml.tflite.read import read_graph

OUTPUT = Path("build") / "bench-memory.json"
LARGE_MODELS = ("mcunet_vww1", "mcunet_in3", "mcunet_in4", "mobilenet_v2_100_224")
GOALS = {
    "whole": Goal(0.0),
    "default": Goal(),
    "any": Goal(math.inf),
    "rows": Goal(fed_by_rows=True),
    "rows_any": Goal(math.inf, fed_by_rows=True),
}
WANTED_BYTES = {
    "kws": (5_500, None),
    "vww": (28_000, 14_000),
    "ic": (18_000, 16_000),
    "ad": (900, None),
    "mcunet_vww1": (21_500, 15_600),
    "mcunet_in3": (98_000, 57_500),
    "mcunet_in4": (115_000, 77_500),
    "mobilenet_v2_100_224": (197_000, 125_000),
}
"""What the planner was built to reach: with the input whole, and by rows."""
HEADINGS = [
    "model", "whole", "default", "any", "bound", "wanted", "rows", "rows any", "bound", "wanted", "seconds", "TFLM",
    "TinyEngine",
]  # fmt: skip


def plans(program: Program) -> dict[str, Any]:
    """Arena, bound, more work and planning time of every goal; why not where the input cannot come by rows."""
    found: dict[str, Any] = {}
    for name, goal in GOALS.items():
        started = time.monotonic()
        try:
            planned = choose_plan(program, goal)
        except TinymlError as error:
            found[name] = {"error": error.message}
            continue
        found[name] = {
            "arena_bytes": planned.plan.arena_bytes,
            "lower_bound_bytes": planned.plan.lower_bound_bytes,
            "least_bytes": planned.least_bytes,
            "more_work_percent": round(100 * planned.more_work, 2),
            "seconds": round(time.monotonic() - started, 2),
        }
    return found


def measure(model: str) -> dict[str, Any]:
    """One row: the plans of a model, what was wanted of it, what other engines take."""
    source = load_source(shared_dir() / MODEL_FILES[model] if model in MODEL_FILES else model)
    program = lower(run_passes(read_graph(source.content, name=source.name)), Target(Isa.DSP))
    whole, rows = WANTED_BYTES[model]
    return {
        "model": model,
        "plans": plans(program),
        "wanted_bytes": whole,
        "wanted_rows_bytes": rows,
        "tflm_bytes": TFLM_ARENA_BYTES.get(model),
        "tinyengine_bytes": TINYENGINE_ARENA_BYTES.get(model),
    }


def cells(row: dict[str, Any]) -> list[str]:
    """The row as it is printed."""
    found = row["plans"]

    def number(value: int | None) -> str:
        return "" if value is None else f"{value:,}"

    def part(goal: str, key: str) -> str:
        return number(found[goal].get(key))

    return [
        row["model"],
        *(part(goal, "arena_bytes") for goal in ("whole", "default", "any")),
        part("any", "least_bytes"),
        number(row["wanted_bytes"]),
        *(part(goal, "arena_bytes") for goal in ("rows", "rows_any")),
        part("rows_any", "least_bytes"),
        number(row["wanted_rows_bytes"]),
        f"{max(plan.get('seconds', 0.0) for plan in found.values()):.1f}",
        number(row["tflm_bytes"]),
        number(row["tinyengine_bytes"]),
    ]


def bench_memory(models: list[str]) -> None:
    """Measure ``models``, print the table, write the JSON."""
    rows = []
    for model in models:
        print(f"memory of {model} …", file=sys.stderr)
        rows.append(measure(model))
    print_table(HEADINGS, [cells(row) for row in rows], right=tuple(range(1, len(HEADINGS))))
    write_file(OUTPUT, json.dumps({"rows": rows}, indent=2) + "\n")
    print(f"written to {OUTPUT}; bytes of arena, seconds of the slowest plan", file=sys.stderr)


if __name__ == "__main__":
    bench_memory(sys.argv[1:] or [*MODEL_FILES, *LARGE_MODELS])
