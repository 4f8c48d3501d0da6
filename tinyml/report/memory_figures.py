"""Draws the pictures of ``docs/memory.md``: one network's memory over time under several plans.

``python -m tinyml.report.memory_figures [FOLDER]`` writes them (default ``docs/pictures``), after changes of the
planner or of kernels.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from tinyml.boards import load_board
from tinyml.files import write_file
from tinyml.graph.passes import run_passes
from tinyml.lower.lowering import lower, target_of
from tinyml.models.trained import TRAINED_DIR
from tinyml.plan.choose import Goal, choose_plan
from tinyml.report.memory_picture import memory_picture
from tinyml.report.memory_svg import memory_svg
from tinyml.tflite.read import read_graph

MODEL, BOARD = "kws_ds_cnn_s", "nano33ble"
GOALS = {"memory-steps": Goal(0.0), "memory-default": Goal(), "memory-least": Goal(math.inf)}
FOLDER = Path("docs/pictures")


def draw_all() -> dict[str, str]:
    """The SVG of every plan by the file's name without its suffix."""
    graph = run_passes(read_graph((TRAINED_DIR / f"{MODEL}.tflite").read_bytes(), name=MODEL))
    program = lower(graph, target_of(load_board(BOARD)))
    found = {}
    for name, goal in GOALS.items():
        planned = choose_plan(program, goal)
        found[name] = memory_svg(memory_picture(planned.program, planned.plan), name=name)
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, text in draw_all().items():
        write_file(folder / f"{name}.svg", text + "\n")
