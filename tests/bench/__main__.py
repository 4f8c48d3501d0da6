"""Prints what each model takes on each board beside other engines' figures, and writes build/bench.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.anchors import BOARDS, CATALOGUE_MODELS, LIMITS, MODEL_FILES, SPEED_MODELS
from tests.bench.measure import measure
from tests.bench.memory import LARGE_MODELS, WANTED_BYTES, bench_memory
from tests.support.instruction_bars import BARS_FILE, bar_name
from tests.support.shared import shared_dir
from tinyml.cli.output import print_table
from tinyml.files import write_file

OUTPUT = Path("build") / "bench.json"
HEADINGS = [
    "model", "board", "core", "GCC", "zig", "zig/GCC", "anchor", "ratio", "per MAC", "≈ cycles", "≈ ms", "≈ µJ",
    "arena", "anchor's", "weights", "code",
]  # fmt: skip


def cells(row: dict[str, Any]) -> list[str]:
    """The row as it is printed."""
    if "error" in row:
        return [row["model"], row["board"], row["error"].splitlines()[0], *[""] * (len(HEADINGS) - 3)]
    anchor, arena = row["anchor_instructions"], row["anchor_arena_bytes"]
    return [
        row["model"],
        row["board"],
        row["core"],
        f"{row['instructions_gcc']:,}",
        f"{row['instructions_zig']:,}",
        f"{row['zig_to_gcc']:.2f}",
        f"{anchor:,}" if anchor else "",
        f"{row['instructions_gcc'] / anchor:.2f}" if anchor else "",
        f"{row['instructions_per_mac']:.2f}",
        f"{row['cycles']:,}",
        f"{row['latency_ms']:.3g}",
        f"{row['energy_uj']:,.0f}" if row["energy_uj"] is not None else "",
        f"{row['arena_bytes']:,}",
        f"{arena:,}" if arena else "",
        f"{row['weights_bytes']:,}",
        f"{row['code_bytes']:,}",
    ]


def kind_rows(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Instructions a multiply-accumulate (or an output element) of each kind of layer and instruction set."""
    sums: dict[tuple[str, str], list[int]] = {}
    seen = set()
    for row in rows:
        if "error" in row or row["model"].endswith("speed") or (row["model"], row["isa"]) in seen:
            continue
        seen.add((row["model"], row["isa"]))
        for kind, found in row["kinds"].items():
            entry = sums.setdefault((row["isa"], kind), [0, 0, 0])
            for index, key in enumerate(("instructions", "macs", "elements")):
                entry[index] += found[key]
    table = []
    for (isa, kind), (instructions, macs, elements) in sorted(sums.items()):
        per_mac = f"{instructions / macs:.3f}" if macs else ""
        per_element = "" if macs else f"{instructions / elements:.2f}"
        limit, why = LIMITS[isa]
        table.append([isa, kind, f"{macs:,}", per_mac, f"{limit:g}: {why}" if macs else "", per_element])
    return table


def main() -> int:
    """Measures what the command line asks for, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=[*MODEL_FILES, *CATALOGUE_MODELS], default=None)
    parser.add_argument("--boards", nargs="+", default=list(BOARDS))
    parser.add_argument("--bars", action="store_true", help=f"take what is measured as the bars in {BARS_FILE.name}")
    arguments = parser.parse_args()
    if not shared_dir().is_dir():
        hint = "set TINYML_SHARED to their folder"
        print(f"error: the models are not in {shared_dir()}\n\nhint: {hint}", file=sys.stderr)
        return 2
    wanted = arguments.models or [*MODEL_FILES, *CATALOGUE_MODELS]
    rows = []
    work: list[tuple[str, str | Path, str]] = []
    for model, path in MODEL_FILES.items():
        work += [(model, shared_dir() / path, board) for board in arguments.boards]
    for model, boards in CATALOGUE_MODELS.items():
        work += [(model, model, board) for board in boards]
    for model, source, board in work:
        if model in wanted:
            print(f"{model} on {board} …", file=sys.stderr)
            rows.append(measure(model, source, board))
            if board in SPEED_MODELS.get(model, ()):
                rows.append(measure(model, source, board, "speed"))
    print_table(HEADINGS, [cells(row) for row in rows], right=tuple(range(3, len(HEADINGS))))
    print()
    headings = ["kernels", "kind of layer", "MACs", "instructions per MAC", "limit", "per output element"]
    print_table(headings, kind_rows(rows), right=(2, 3, 5))
    write_file(OUTPUT, json.dumps({"rows": rows}, indent=2) + "\n")
    print(f"written to {OUTPUT}; cycles, ms and µJ are estimates (docs/cost-model.md)", file=sys.stderr)
    print()
    bench_memory([model for model in (*MODEL_FILES, *LARGE_MODELS) if model in (arguments.models or WANTED_BYTES)])
    if arguments.bars:
        write_bars(rows)
    return 0


def write_bars(rows: list[dict[str, Any]]) -> None:
    """Replaces the bars of what was measured; the others stay."""
    barred = {*MODEL_FILES, *(bar_name(model, "speed") for model in SPEED_MODELS)}
    bars = json.loads(BARS_FILE.read_text("utf-8")) if BARS_FILE.is_file() else {}
    for row in rows:
        if "error" not in row and row["model"] in barred:
            bars.setdefault(row["board"], {})[row["model"]] = row["instructions_gcc"]
    write_file(BARS_FILE, json.dumps(bars, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
