"""The catalogue's measured figures, read from ``figures.json`` so that listing it needs neither Keras nor a compiler.

:mod:`tinyml.report.figures` writes the file from the real stages; a test regenerates entries and compares.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FIGURES_PATH = Path(__file__).resolve().parent / "figures.json"
REFERENCE_BOARD = "nano33ble"


@dataclass(frozen=True, slots=True)
class Figures:
    """What an entry costs with its default options.

    ``weights_bytes`` (all constants of the network) and ``arena_bytes`` (activations and scratch) are exact for the
    kernels of :data:`REFERENCE_BOARD`, a Cortex-M4F. ``boards`` are those whose flash and RAM hold the ``benchmark``
    firmware, smallest RAM first, each planned with its own kernels; ``boards_optimize_size`` hold it with
    ``--optimize size`` only.
    """

    name: str
    parameters: int
    macs: int
    weights_bytes: int
    arena_bytes: int
    boards: tuple[str, ...]
    boards_optimize_size: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The entry's object in the file."""
        return {
            "parameters": self.parameters,
            "macs": self.macs,
            "weights_bytes": self.weights_bytes,
            "arena_bytes": self.arena_bytes,
            "boards": list(self.boards),
            "boards_optimize_size": list(self.boards_optimize_size),
        }


@cache
def load_figures() -> dict[str, Figures]:
    """Every entry's figures by its name."""
    content = json.loads(FIGURES_PATH.read_text(encoding="utf-8"))
    return {
        name: Figures(
            name,
            int(row["parameters"]),
            int(row["macs"]),
            int(row["weights_bytes"]),
            int(row["arena_bytes"]),
            tuple(row["boards"]),
            tuple(row["boards_optimize_size"]),
        )
        for name, row in content["models"].items()
    }
