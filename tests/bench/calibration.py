"""Holds the cycle model against published latencies: `python -m tests.bench.calibration` prints the docs' tables.

Nobody publishes kinds of instructions, so another engine is compared by what our code of the same model needs on the
same board: its cycles an instruction where its instructions are known, and the ratio of its cycles on two cores.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

from tests.bench.anchors import MODEL_FILES, TFLM_INSTRUCTIONS
from tests.support.shared import shared_dir
from tinyml import pipeline

MODELS = ("kws", "vww", "ic", "ad")


@dataclass(frozen=True, slots=True)
class Published:
    """One engine's latencies of MLPerf Tiny's models, closed division, in milliseconds."""

    engine: str
    board: str
    clock_hz: int
    latency_ms: tuple[float, ...]

    def cycles(self, model: str) -> float:
        """Cycles of one inference."""
        return self.latency_ms[MODELS.index(model)] * 1e-3 * self.clock_hz


MICROTVM_M4 = Published("microTVM + CMSIS-NN v1.0", "NUCLEO-L4R5ZI", 120_000_000, (99.8, 301.2, 389.6, 8.6))
TFLM_M33 = Published("TFLM v0.7 + CMSIS-NN", "RA6M4", 200_000_000, (50.6, 162.4, 246.2, 4.6))
PLUMERAI_M4 = Published("Plumerai v1.1", "NUCLEO-L4R5ZI", 120_000_000, (47.8, 98.8, 167.8, 4.1))
PLUMERAI_M7 = Published("Plumerai v1.1", "DISCO-F746NG", 216_000_000, (17.7, 34.1, 62.9, 1.7))
CUBE_M4 = Published("X-CUBE-AI 9.0", "NUCLEO-L4R5ZI", 120_000_000, (43.2, 88.9, 165.1, 5.3))
CUBE_M7 = Published("X-CUBE-AI 9.0", "H7A3", 280_000_000, (11.3, 23.8, 40.8, 1.2))
CUBE_M33 = Published("X-CUBE-AI 10.2", "NUCLEO-U575", 160_000_000, (29.0, 59.3, 109.5, 3.2))
PER_INSTRUCTION = ((TFLM_M33, "nucleo_u575zi", {"kws", "ic"}), (MICROTVM_M4, "nucleo_l4r5zi", set[str]()))
RATIOS = (
    (PLUMERAI_M7, PLUMERAI_M4, "disco_f746ng", {"kws", "ic"}),
    (CUBE_M7, CUBE_M4, "nucleo_h743zi", set[str]()),
    (CUBE_M33, CUBE_M4, "nucleo_u575zi", set[str]()),
)


@cache
def ours(model: str, board: str) -> tuple[int, int]:
    """Instructions and estimated cycles of our code."""
    result = pipeline.profile(shared_dir() / MODEL_FILES[model], board)
    return result.instructions, result.cycles


def row(what: str, model: str, published: float, estimated: float, used: set[str]) -> str:
    """One line of the table."""
    error = 100 * (estimated / published - 1)
    role = "fitted" if model in used else "held out"
    return f"| {what} | {model} | {published:.2f} | {estimated:.2f} | {error:+.1f} % | {role} |"


def main() -> int:
    """Prints both tables."""
    print("| cycles an instruction | model | published | estimated | error | point |\n|---|---|---|---|---|---|")
    for engine, board, used in PER_INSTRUCTION:
        for model in MODELS:
            instructions, cycles = ours(model, board)
            theirs = engine.cycles(model) / TFLM_INSTRUCTIONS[model]["cortex-m4"]
            print(row(f"{engine.engine}, {engine.board}", model, theirs, cycles / instructions, used))
    print("\n| cycles relative to the M4 | model | published | estimated | error | point |\n|---|---|---|---|---|---|")
    for engine, base, board, used in RATIOS:
        for model in MODELS:
            relative = ours(model, board)[1] / ours(model, "nucleo_l4r5zi")[1]
            theirs = engine.cycles(model) / base.cycles(model)
            print(row(f"{engine.engine}, {engine.board}", model, theirs, relative, used))
    return 0


if __name__ == "__main__":
    sys.exit(main())
