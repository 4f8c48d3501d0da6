"""Prints instructions, arena and code size of each model on each board, and writes them to build/bench.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.anchors import BOARDS, MODEL_FILES, TFLM_ARENA_BYTES, TFLM_INSTRUCTIONS
from tests.support.shared import shared_dir
from tinyml import pipeline
from tinyml.cli.output import print_table
from tinyml.errors import TinymlError
from tinyml.files import write_file

OUTPUT = Path("build") / "bench.json"


def measure(model: str, board: str) -> dict[str, Any]:
    """One row: exact counts of one inference and the ELF's flash, or why there are none."""
    path = shared_dir() / MODEL_FILES[model]
    try:
        fit = pipeline.check(path, board, compile_firmware=True).to_json()
        profile = pipeline.profile(path, board).to_json()
    except TinymlError as error:
        return {"model": model, "board": board, "error": error.message}
    anchor = TFLM_INSTRUCTIONS[model].get(profile["core"])
    return {
        "model": model,
        "board": board,
        "core": profile["core"],
        "toolchain": profile["toolchain"],
        "instructions": profile["instructions"],
        "instructions_per_mac": profile["instructions_per_mac"],
        "tflm_instructions": anchor,
        "arena_bytes": fit["arena_bytes"],
        "tflm_arena_bytes": TFLM_ARENA_BYTES[model],
        "weights_bytes": fit["weights_bytes"],
        "code_bytes": fit["code_bytes"],
    }


def cells(row: dict[str, Any]) -> list[str]:
    """The row as it is printed."""
    if "error" in row:
        return [row["model"], row["board"], row["error"], *[""] * 7]
    anchor = row["tflm_instructions"]
    return [
        row["model"],
        row["board"],
        row["core"],
        f"{row['instructions']:,}",
        f"{row['instructions_per_mac']:.2f}",
        f"{anchor:,}" if anchor else "",
        f"{row['instructions'] / anchor:.2f}" if anchor else "",
        f"{row['arena_bytes']:,}",
        f"{row['tflm_arena_bytes']:,}",
        f"{row['code_bytes']:,}",
    ]


def main() -> int:
    """Measures what the command line asks for, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=sorted(MODEL_FILES), default=list(MODEL_FILES))
    parser.add_argument("--boards", nargs="+", default=list(BOARDS))
    arguments = parser.parse_args()
    if not shared_dir().is_dir():
        print(
            f"error: the models are not in {shared_dir()}\n\nhint: set TINYML_SHARED to their folder", file=sys.stderr
        )
        return 2
    rows = []
    for model in arguments.models:
        for board in arguments.boards:
            print(f"{model} on {board} …", file=sys.stderr)
            rows.append(measure(model, board))
    headings = ["model", "board", "core", "instructions", "per MAC", "TFLM", "ratio", "arena", "TFLM arena", "code"]
    print_table(headings, [cells(row) for row in rows], right=(3, 4, 5, 6, 7, 8, 9))
    write_file(OUTPUT, json.dumps({"rows": rows}, indent=2) + "\n")
    print(f"written to {OUTPUT}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
