"""What a network that streams along time saves, for the terminal and for JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class AlongTime:
    """A network that computes only what each hop adds, beside itself for whole inputs; or the ``cause`` why not.

    ``layers`` compute new rows only, ``ends`` are the first that do not, (layer, cause). Instructions are of one
    inference: ``counted`` in emulation, or estimates; those for whole inputs None where that network does not fit.
    """

    hop_rows: int | None = None
    window_rows: int | None = None
    layers: int = 0
    ends: tuple[tuple[str, str], ...] = ()
    arena_bytes: int | None = None
    whole_arena_bytes: int | None = None
    macs: int | None = None
    whole_macs: int | None = None
    instructions: int | None = None
    whole_instructions: int | None = None
    exact: bool = False
    cause: str | None = None

    def counted(self, instructions: int, whole: int | None) -> AlongTime:
        """The same with what was counted."""
        return replace(self, instructions=instructions, whole_instructions=whole, exact=True)

    def to_json(self) -> dict[str, Any]:
        """The object under ``along_time``."""
        return {
            "hop_rows": self.hop_rows,
            "window_rows": self.window_rows,
            "layers": self.layers,
            "ends": [{"layer": layer, "cause": cause} for layer, cause in self.ends],
            "arena_bytes": self.arena_bytes,
            "whole_arena_bytes": self.whole_arena_bytes,
            "macs": self.macs,
            "whole_macs": self.whole_macs,
            "instructions": self.instructions,
            "whole_instructions": self.whole_instructions,
            "exact": self.exact,
            "cause": self.cause,
        }

    def __str__(self) -> str:
        """The lines of ``tinyml build``."""
        if self.hop_rows is None:
            return f"each inference computes its whole window: {self.cause}"
        kind = "instructions" if self.exact else "instructions (estimates)"
        ends = "; ".join(f"{layer} computes whole: {cause}" for layer, cause in self.ends)
        return (
            f"along time: {self.layers} layers compute only what a hop of {self.hop_rows} rows of {self.window_rows}"
            " adds"
            f"{f' ({ends})' if ends else ''}\n"
            f"a hop takes {_number(self.instructions)} {kind} instead of {_number(self.whole_instructions)},"
            f" {_number(self.macs)} MACs instead of {_number(self.whole_macs)},"
            f" {_number(self.arena_bytes)} bytes of arena instead of {_number(self.whole_arena_bytes)}"
        )


def _number(value: int | None) -> str:
    return "more than fit" if value is None else f"{value:,}"
