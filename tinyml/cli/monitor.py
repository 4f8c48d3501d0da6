"""``tinyml monitor``: follow what a board prints."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from tinyml.cli import output
from tinyml.cli.options import baud_option, board_option
from tinyml.cli.verb import verb

if TYPE_CHECKING:
    from tinyml.monitor.session import Sink

    DurationBase = click.ParamType[float]
else:
    DurationBase = click.ParamType

DEFAULT_BAUD = 115200
_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class Duration(DurationBase):
    """A time: ``10s``, ``500ms``, ``2min``, ``1h``; a bare number is seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds from the text; fails with a usage error where it is no time."""
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(value).strip().lower())
        if found is None or found[2] not in _UNITS_S:
            self.fail(f"{value!r} is not a time such as 10s, 500ms or 2min", param, ctx)
        return float(found[1]) * _UNITS_S[found[2]]


@verb(
    "monitor",
    "tinyml monitor                              # the board's own port, live",
    "tinyml monitor --json --for 10s > log.jsonl",
    "tinyml monitor /dev/ttyACM0 --until yes     # 0 as soon as the board hears yes",
)
@click.argument("source", required=False, metavar="[PORT|URL|FILE|-]")
@board_option
@baud_option
@click.option("--raw", is_flag=True, help="Print the bytes exactly as they come.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, for every line that comes.")
@click.option("--for", "seconds", type=Duration(), metavar="TIME", help="End after 10s, 500ms, 2min …")
@click.option("--until", metavar="WORD", help="End when this word or class is seen, or an event of this kind comes.")
@click.option("--reconnect/--no-reconnect", default=True, show_default=True, help="Wait for a port that went away.")
def command(
    source: str | None,
    board: str | None,
    baud: int | None,
    raw: bool,
    as_json: bool,
    seconds: float | None,
    until: str | None,
    reconnect: bool,
) -> None:
    """Follow what a board prints: detections, scores, frame rate, load.

    Without an argument the board's own serial port is looked for. socket://HOST:PORT follows an emulator, - a pipe.
    A terminal gets a live view, everything else one line an event. Ctrl-C ends with 0; --until leaves with 0 as soon as
    the word comes and with 6 where it does not come in time.
    """
    if raw and as_json:
        raise click.UsageError("--raw and --json are two ways to print the same bytes")
    from tinyml.monitor.session import Options, follow
    from tinyml.monitor.sources import Returning

    name, found_baud = _source(source, board)
    returning = Returning(name, baud or found_baud)
    with contextlib.suppress(KeyboardInterrupt), _sink(name, raw=raw, as_json=as_json) as sink:
        follow(returning, sink, Options(seconds, until, reconnect))


def _sink(name: str, *, raw: bool, as_json: bool) -> contextlib.AbstractContextManager[Sink]:
    from tinyml.monitor.sinks import JsonSink, PlainSink, RawSink

    if raw:
        return contextlib.nullcontext(RawSink(output.note))
    if as_json:
        return contextlib.nullcontext(JsonSink(output.note))
    if not sys.stdout.isatty():
        return contextlib.nullcontext(PlainSink(output.note))
    from tinyml.monitor.view import LiveSink

    return LiveSink(name)


def _source(source: str | None, board: str | None) -> tuple[str, int]:
    """The source's name and the baud rate of the board's console."""
    from tinyml.boards import load_board
    from tinyml.errors import UsageError
    from tinyml.flash.firmware import last_board
    from tinyml.settings import load_settings

    name = board or load_settings().board
    found = None if name is None else load_board(name)
    if found is None and (last := last_board()) is not None:
        with contextlib.suppress(UsageError):  # the build was for a board file that is elsewhere
            found = load_board(last)
    baud = DEFAULT_BAUD if found is None or found.console is None else found.console.baud
    if source is not None:
        return source, baud
    from tinyml.monitor.find import find_port

    return find_port(found), baud
