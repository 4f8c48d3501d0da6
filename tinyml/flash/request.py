"""What a user asks of an upload, and where its progress goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """What the user chose; ``wait_s`` is how long to wait for a board that does not show itself yet."""

    tool: str | None = None
    port: str | None = None
    verify: bool = True
    dry_run: bool = False
    wait_s: float = 0.0
    timeout_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Reporter:
    """Where progress goes: sentences for a person, how far the tool is, and every line it says."""

    say: Callable[[str], None] = lambda text: None
    percent: Callable[[int], None] = lambda value: None
    line: Callable[[str], None] = lambda text: None
