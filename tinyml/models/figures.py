"""The catalogue's measured figures, read from ``figures.json`` so that listing it needs neither Keras nor a compiler.

:mod:`tinyml.models_table` writes the file from the real stages; a test regenerates entries and compares.
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
    kernels of :data:`REFERENCE_BOARD`, a Cortex-M4F; ``instructions`` are those of one inference, counted in emulation.
    None stands for what was not measured. ``boards`` are those whose flash and RAM hold the ``benchmark``
    firmware, smallest RAM first, each planned with its own kernels; ``boards_optimize_size`` hold it with
    ``--optimize size`` only.
    """

    name: str
    parameters: int | None = None
    macs: int | None = None
    weights_bytes: int | None = None
    arena_bytes: int | None = None
    instructions: int | None = None
    boards: tuple[str, ...] = ()
    boards_optimize_size: tuple[str, ...] = ()

    @property
    def planned(self) -> bool:
        """Whether the compiler has planned the network, so that its memory and its boards are known."""
        return self.arena_bytes is not None

    def to_json(self) -> dict[str, Any]:
        """The entry's object in the file."""
        return {
            "parameters": self.parameters,
            "macs": self.macs,
            "weights_bytes": self.weights_bytes,
            "arena_bytes": self.arena_bytes,
            "instructions": self.instructions,
            "boards": list(self.boards),
            "boards_optimize_size": list(self.boards_optimize_size),
        }


@cache
def load_figures() -> dict[str, Figures]:
    """The figures of every entry that was measured, by its name."""
    return read_figures(FIGURES_PATH)


def read_figures(path: Path) -> dict[str, Figures]:
    """What a file of figures holds."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Figures(
            name,
            row["parameters"],
            row["macs"],
            row["weights_bytes"],
            row["arena_bytes"],
            row["instructions"],
            tuple(row["boards"]),
            tuple(row["boards_optimize_size"]),
        )
        for name, row in content["models"].items()
    }
