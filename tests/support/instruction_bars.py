"""The bars that instruction counts are held to: what was measured last, and 2 %."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.anchors import MODEL_FILES

BARS_FILE = Path(__file__).parents[1] / "emulate" / "instruction_bars.json"
SLACK = 1.02


def bar_name(model: str, optimize: str) -> str:
    """What the bar of ``model`` is called: with the goal where that is not the default."""
    return model if optimize == "balanced" else f"{model} {optimize}"


def hold_to_bar(board: str, model_file: str, instructions: int, optimize: str = "balanced") -> None:
    """Fails where ``instructions`` of GCC's firmware are more than the bar of ``board`` allows.

    ``python -m tests.bench --bars`` measures the bars anew.
    """
    model = next(name for name, path in MODEL_FILES.items() if Path(path).name == model_file)
    bar = json.loads(BARS_FILE.read_text("utf-8"))[board][bar_name(model, optimize)]
    assert instructions <= bar * SLACK, f"{model} on {board} took {instructions:,} instructions, its bar is {bar:,}"
