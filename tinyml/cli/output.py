"""Where a verb's words go: data on stdout, everything else on stderr, as much of it as the user wants."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

QUIET, NORMAL, VERBOSE = 0, 1, 2
_LEVELS = {QUIET: logging.ERROR, NORMAL: logging.INFO, VERBOSE: logging.DEBUG}
_state = {"verbosity": NORMAL}


def configure(verbosity: int) -> None:
    """Sets how much is said on stderr: QUIET, NORMAL or VERBOSE; the ``tinyml`` loggers follow."""
    _state["verbosity"] = verbosity
    logging.getLogger("tinyml").setLevel(_LEVELS[verbosity])


def verbosity() -> int:
    """QUIET, NORMAL or VERBOSE."""
    return _state["verbosity"]


def console() -> Console:
    """A rich console on stderr, for progress and remarks; it says nothing when quiet."""
    from rich.console import Console

    return Console(stderr=True, quiet=_state["verbosity"] == QUIET, highlight=False)


def note(message: str) -> None:
    """One line on stderr, unless quiet."""
    if _state["verbosity"] > QUIET:
        click.echo(message, err=True)


def detail(message: str) -> None:
    """One line on stderr when verbose."""
    if _state["verbosity"] >= VERBOSE:
        click.echo(message, err=True)


def print_json(value: dict[str, Any]) -> None:
    """The one JSON object of a ``--json`` run, on stdout."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


class Reported(Protocol):
    """A verb's result, which has a form for machines."""

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""


Result = TypeVar("Result", bound=Reported)


def show_result(result: Result, report: Callable[[Result], Iterable[RenderableType]], as_json: bool) -> None:
    """A verb's result on stdout: as one JSON object, or as its ``report``."""
    if as_json:
        print_json(result.to_json())
        return
    from tinyml.report.tables import print_report

    print_report(*report(result))


def print_table(headings: list[str], rows: list[list[str]], *, right: tuple[int, ...] = ()) -> None:
    """A plain table on stdout, columns aligned, numbers (the ``right`` columns) to the right."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    for row in [headings, *rows]:
        cells = [
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ]
        click.echo("  ".join(cells).rstrip())


def kib(size_bytes: int) -> str:
    """A size for people: ``256 KiB`` where it is whole, otherwise bytes with thousands separators."""
    for unit, factor in (("MiB", 1024**2), ("KiB", 1024)):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes:,} B"
