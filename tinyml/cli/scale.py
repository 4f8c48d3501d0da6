"""``tinyml scale``: the largest member of a family that fits a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tinyml.cli.options import Milliseconds, Setting, board_option, json_option, limit_options, optimize_option
from tinyml.cli.verb import verb

if TYPE_CHECKING:
    from tinyml.scaling.probe import Need


@verb(
    "scale",
    "tinyml scale mobilenet_v2 --board nano33ble --max-latency 200ms",
    "tinyml scale efficientnet --board disco_f746ng --formula compound --sram 128KB",
)
@click.argument("model")
@board_option
@limit_options
@click.option("--max-latency", type=Milliseconds(), metavar="TIME", help="Your own limit for an inference, e.g. 200ms.")
@click.option(
    "--formula",
    type=click.Choice(("multipliers", "compound", "tinynet")),
    default="multipliers",
    show_default=True,
    help="Width and resolution freely, or together with depth by EfficientNet's or TinyNet's formula.",
)
@click.option("--resolution", type=click.IntRange(16, 1024), metavar="PIXELS", help="Keep to pictures of this size.")
@click.option(
    "--set",
    "settings",
    type=Setting(),
    multiple=True,
    metavar="OPTION=VALUE",
    help="Keep to this option of the network (`tinyml models NAME`); may be repeated.",
)
@click.option(
    "--classes",
    type=click.IntRange(2),
    metavar="N",
    help="Classes to tell apart (default: the catalogue entry's).",
)
@optimize_option
@json_option
def command(
    model: str,
    board: str | None,
    max_latency: float | None,
    formula: str,
    resolution: int | None,
    settings: tuple[tuple[str, Any], ...],
    classes: int | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Find the largest network of MODEL, a family or an entry of `tinyml models`, that fits a board.

    Every network that is tried is built untrained, converted and planned: memory is exact but for code and stack, the
    latency a rough estimate (`tinyml profile` counts). Leaves with 3 where none fits, and names the closest.
    """
    from tinyml.boards import load_board
    from tinyml.cli import output as out
    from tinyml.cli.options import pipeline_options
    from tinyml.scaling.scale import ScaleRequest, scale
    from tinyml.settings import chosen_board

    pinned = dict(settings) | ({} if classes is None else {"classes": classes})
    request = ScaleRequest(
        model, load_board(chosen_board(board)), pipeline_options(values), max_latency, formula, pinned, resolution
    )
    with ScaleProgress() as progress:
        scaled = scale(request, progress.tried)
    if as_json:
        out.print_json(scaled.to_json())
        return
    click.echo(scaled.best.describe())
    click.echo(f"{scaled.best.parameters:,} parameters, {scaled.best.macs:,} MACs")
    chosen = " ".join(
        f"--set {key}={setting_text(value)}" for key, value in scaled.best.candidate.options if key != "classes"
    )
    out.note(
        f"tried {len(scaled.tried)} of {scaled.considered}; next: tinyml train {scaled.best.candidate.name} {chosen}"
    )


class ScaleProgress:
    """A line on stderr for every network that was tried, and a spinner on a terminal meanwhile."""

    def __init__(self) -> None:
        from tinyml.cli import output

        self._status: Any = None
        self._console = output.console()

    def __enter__(self) -> ScaleProgress:
        if self._console.is_terminal and not self._console.quiet:
            self._status = self._console.status("building and planning untrained networks")
            self._status.start()
        return self

    def __exit__(self, *problem: object) -> None:
        if self._status is not None:
            self._status.stop()

    def tried(self, need: Need) -> None:
        """Say what was tried and whether it fits."""
        self._console.print(f"{'fits' if need.fits else 'does not fit'}  {need.describe()}", soft_wrap=True)


def setting_text(value: Any) -> str:
    """A value as ``--set`` takes it."""
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
