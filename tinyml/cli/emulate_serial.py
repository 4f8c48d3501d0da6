"""``tinyml emulate --serial``: the firmware alone in QEMU, its serial line open to whoever connects on this machine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tinyml.pipeline import Options

F = TypeVar("F", bound=Callable[..., Any])


def serial_option(function: F) -> F:
    """``--serial``: where the emulated serial line can be opened."""
    return click.option(
        "--serial",
        metavar="pty|tcp[:PORT]",
        help="Run the firmware by itself until interrupted, its serial line on a pseudo-terminal or a local port.",
    )(function)


def emulate_serial(model: str, board: str, output: Path | None, options: Options, where: str) -> None:
    """Prints where the line is on stdout, then waits until QEMU ends or the user interrupts it."""
    from tinyml.boards import load_board
    from tinyml.cli.output import note
    from tinyml.cli.progress import status
    from tinyml.emulate.serial_line import line_number, open_line, parse_where
    from tinyml.pipeline import application

    target = load_board(board)
    line_number(target)
    parse_where(where)
    with ExitStack() as stack:
        with status("building"):
            _, built = stack.enter_context(application(model, target, output, replace(options, emulator="qemu")))
        line = stack.enter_context(open_line(built.elf, target, where))
        click.echo(line.where)
        note(f"{options.app} runs in QEMU, its serial line is {line.where}; Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            line.process.wait()
