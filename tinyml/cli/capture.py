"""``tinyml capture``: a picture from a board's camera, as the network takes it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyml.cli.options import baud_option, board_option, json_option
from tinyml.cli.verb import verb


@verb("capture", "tinyml capture --board nano33ble -o person.png")
@board_option
@click.option(
    "--port", "-p", metavar="PORT|URL", help="Serial port, or socket://HOST:PORT; the board's own if left out."
)
@baud_option
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(1, 3600),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long to wait for a whole picture.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    default=Path("capture.png"),
    show_default=True,
    help="The PNG to write.",
)
@json_option
def command(
    board: str | None, port: str | None, baud: int | None, timeout_s: float, output: Path, as_json: bool
) -> None:
    """Ask the application vww on a board for a frame and keep it as a PNG.

    The picture is what the network takes: resized and cropped on the board. Resizing it again to the same size changes
    nothing, so the same file gives the same bytes in Keras. Leaves with 6 where no whole picture comes.
    """
    from tinyml.boards import load_board
    from tinyml.cli.monitor import DEFAULT_BAUD
    from tinyml.cli.progress import status
    from tinyml.monitor.capture import capture, write_png
    from tinyml.monitor.find import find_port
    from tinyml.settings import load_settings

    name = board or load_settings().board
    found = None if name is None else load_board(name)
    baud = baud or (DEFAULT_BAUD if found is None or found.console is None else found.console.baud)
    port = port or find_port(found)
    with status(f"waiting for a picture from {port}"):
        picture = capture(port, baud, timeout_s=timeout_s)
    write_png(picture, output)
    height, width, channels = picture.pixels.shape
    if as_json:
        found_json = {
            "output": str(output),
            "width": width,
            "height": height,
            "channels": channels,
            "label": picture.label,
            "score": picture.score,
        }
        click.echo(json.dumps(found_json, indent=2))
        return
    said = "" if picture.label is None else f": {picture.label} ({picture.score:.3f})"
    click.echo(f"{output}, {width} x {height}{said}")
