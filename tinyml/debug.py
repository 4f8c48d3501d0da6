"""``TINYML_DEBUG=1..4`` shows on stderr what each stage of the compiler gives; 0 or unset shows nothing."""

from __future__ import annotations

import os
import sys
from typing import Any


def level() -> int:
    """The debug level from the environment, 0 where it is unset or no number."""
    text = os.environ.get("TINYML_DEBUG", "")
    return int(text) if text.isdigit() else 0


def show(at_least: int, stage: str, result: Any) -> None:
    """Print ``result`` of ``stage`` to stderr where the level is at least ``at_least``."""
    if level() < at_least:
        return
    from rich.console import Console
    from rich.pretty import pretty_repr

    console = Console(file=sys.stderr, highlight=False)
    console.rule(stage)
    console.print(pretty_repr(result, max_length=40, max_string=120), markup=False)
