"""The applications a firmware can be: which sources each is made of and what it asks of a board.

A new application is one entry in ``APPS`` and its C in a folder of ``firmware_templates/apps/``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.boards import Board, list_boards
from tinyml.errors import UsageError


@dataclass(frozen=True, slots=True)
class App:
    """One application.

    ``folders`` of ``firmware_templates/`` hold its C, headers to ``include/`` and sources to ``src/`` of the project;
    every application has ``proof``, so that the image that is flashed is the one that is proven. ``parts`` are the
    drivers it needs besides those of every firmware (``camera``, ``leds`` …), ``needs`` what the board must have:
    ``console``, ``microphone``, ``camera`` or ``leds``. ``baud`` is the console's speed where the application sets it.
    """

    name: str
    summary: str
    folders: tuple[str, ...]
    parts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    baud: int | None = None


APPS = (
    App("benchmark", "runs the network on built-in inputs and prints results and times", ("proof", "apps/benchmark")),
    App(
        "vww",
        "visual wake words: camera to light, and one JSON line a frame",
        ("proof", "vision", "apps/camera", "apps/vww"),
        parts=("camera", "leds"),
        needs=("camera",),
    ),
    App(
        "detect",
        "boxes or keypoints of what the camera sees: to light, and one JSON line a frame",
        ("proof", "vision", "apps/camera", "decoding", "apps/detect"),
        parts=("camera", "leds"),
        needs=("camera",),
    ),
    App(
        "kws",
        "keyword spotting: microphone to light, and one JSON line a word",
        ("proof", "frontend", "apps/kws"),
        parts=("microphone", "leds"),
    ),
    App(
        "mlperf_tiny",
        "the device under test of MLPerf Tiny: its serial protocol, for the benchmark's public runner",
        ("proof", "apps/mlperf_tiny"),
        needs=("console",),
    ),
    App(
        "mlperf_tiny_energy",
        "the same for measuring energy: 9600 baud, time marked by pulses on the pin of the first light",
        ("proof", "apps/mlperf_tiny"),
        parts=("leds",),
        needs=("console", "leds"),
        baud=9600,
    ),
)


SEVERAL = App("several", "runs several networks in turn on built-in inputs", ("apps/several",))
"""What is built of several models at once; its ``main.c`` is its own proof."""


def find_app(name: str) -> App:
    """The application called ``name``. Raises UsageError that lists those there are."""
    for app in (*APPS, SEVERAL):
        if app.name == name:
            return app
    raise UsageError(f"there is no application {name!r}", hint=f"the applications are {', '.join(app_names())}")


def app_names() -> tuple[str, ...]:
    """The applications' names, in the order of the registry."""
    return tuple(app.name for app in APPS)


def require_app(name: str, board: Board) -> App:
    """The application called ``name``, which ``board`` can run.

    Raises UsageError where there is no such application, or the board lacks what it needs, naming boards that have it.
    """
    app = find_app(name)
    lacking = sorted(need for need in app.needs if not _has(board, need))
    if lacking:
        able = ", ".join(b.name for b in list_boards() if all(_has(b, need) for need in app.needs))
        raise UsageError(
            f"{board.name} has no {' and no '.join(lacking)}, which the application {name} needs",
            hint=f"boards that have: {able}" if able else "no board of tinyml's has it",
        )
    return app


def _has(board: Board, need: str) -> bool:
    return bool(getattr(board, need))
