"""``tinyml flash``: put the last build, a project, an ELF file or a model on a board."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tinyml.cli import output
from tinyml.cli.options import app_option, board_option, json_option
from tinyml.cli.verb import verb

if TYPE_CHECKING:
    from tinyml.flash.firmware import Firmware
    from tinyml.flash.request import Reporter
    from tinyml.flash.upload import FlashResult

DEFAULT_WAIT_S = 30.0


@verb(
    "flash",
    "tinyml flash                                           # the last build of this folder",
    "tinyml flash --dry-run                                 # only what would be run",
    "tinyml flash runs/ds_cnn --board nano33ble --app kws   # build, prove, flash",
)
@click.argument("what", required=False, metavar="[FIRMWARE|PROJECT|MODEL]")
@board_option
@app_option
@click.option(
    "--port", "-p", metavar="PORT", help="A serial port, a drive's folder, or a board's or probe's serial number."
)
@click.option("--tool", metavar="TOOL", help="The upload tool; the first of the board's that is installed if left out.")
@click.option(
    "--verify/--no-verify", default=True, show_default=True, help="Read back and compare, where the tool can."
)
@click.option("--dry-run", is_flag=True, help="Check the image and print the commands; write nothing.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="How long to wait for a board that does not show itself (default: 30 at a terminal, otherwise 0).",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(1, 3600),
    metavar="SECONDS",
    default=180.0,
    show_default=True,
    help="How long a tool may take.",
)
@json_option
def command(
    what: str | None,
    board: str | None,
    app: str,
    port: str | None,
    tool: str | None,
    verify: bool,
    dry_run: bool,
    wait_s: float | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Put a firmware on a board.

    Without an argument it is the last build of this folder; a project's folder, an ELF file or a MODEL (which is built
    and proven first) can be named instead. The image is checked against the board's flash and the board by its USB ids
    before anything is written. Leaves with 6 where the board, its port or the upload tool fails; the board is asked for
    what it holds afterwards, where its tool can.
    """
    from tinyml.boards import load_board
    from tinyml.flash.request import Request
    from tinyml.flash.upload import flash

    firmware, board_name = _firmware(what, board, app)
    if wait_s is None:
        wait_s = DEFAULT_WAIT_S if sys.stderr.isatty() else 0.0
    request = Request(tool, port, verify, dry_run, wait_s, timeout_s)
    with _reporter() as reporter:
        result = flash(firmware, load_board(board_name), request, reporter=reporter)
    if as_json:
        output.print_json(result.to_json())
    else:
        _print(result)


def _firmware(what: str | None, board: str | None, app: str) -> tuple[Firmware, str]:
    """The firmware and the name of its board; a model is built first."""
    from tinyml.flash.firmware import Firmware, find_firmware
    from tinyml.settings import chosen_board

    firmware = find_firmware(what, board)
    if firmware is None:
        _must_exist(what)
        from tinyml import pipeline
        from tinyml.cli.progress import status

        name = chosen_board(board)
        with status("building"):
            result = pipeline.build(what, name, None, pipeline.Options(app=app))
        firmware = find_firmware(result.project, None)
        assert isinstance(firmware, Firmware)
        return firmware, name
    return firmware, board or firmware.board or chosen_board(None)


def _must_exist(what: str | None) -> None:
    """A path that is not there would be taken for a model, which wants to know its board first."""
    from pathlib import Path

    from tinyml.errors import UsageError

    if what is not None and len(Path(what).parts) > 1 and not Path(what).exists():
        hint = "give a firmware's .elf, a project's folder, a model, or nothing for the last build"
        raise UsageError(f"there is no {what}", hint=hint)


@contextlib.contextmanager
def _reporter() -> Iterator[Reporter]:
    """Progress on stderr: a bar on a terminal, otherwise one line a step."""
    from tinyml.flash.request import Reporter

    if output.verbosity() == output.QUIET or not sys.stderr.isatty():
        yield Reporter(say=output.note, line=output.detail)
        return
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        console=output.console(),
        transient=True,
    ) as bar:
        task = bar.add_task("flashing", total=100)

        def say(text: str) -> None:
            bar.update(task, description=text, completed=0)

        def detail(text: str) -> None:
            if output.verbosity() >= output.VERBOSE:
                bar.console.print(text, markup=False, highlight=False)

        yield Reporter(say, lambda value: bar.update(task, completed=value), detail)


def _print(result: FlashResult) -> None:
    if result.dry_run:
        for line in result.commands or (f"copy the firmware to {result.port or 'the drive'}",):
            click.echo(line)
        output.note(f"nothing was written; the tool's files are made from {result.firmware}")
        return
    verified = "read back and equal" if result.verified else "not read back"
    where = "" if result.port is None else f" at {result.port}"
    click.echo(
        f"{result.board}{where}: {result.size_bytes:,} bytes at {result.address:#010x} written with {result.tool}, "
        f"{verified}, {result.seconds:.1f} s"
    )
