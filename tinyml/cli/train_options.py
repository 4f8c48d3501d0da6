"""The options of ``tinyml train`` that begin with something trained, or choose the network's size for a board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinyml.cli.options import ByteSize, Milliseconds, Setting, pipeline_options

if TYPE_CHECKING:
    from tinyml.scaling.scale import Scaled
    from tinyml.training.recipes import DataOptions
    from tinyml.training.transfer import TransferOptions

F = TypeVar("F", bound=Callable[..., Any])

TRANSFER = ("source", "freeze", "release", "trunk_rate", "old_data")
SIZE = ("board", "budget", "flash", "max_latency", "resolution", "settings")


def transfer_options(function: F) -> F:
    """``--from`` and what goes with it."""
    for option in reversed(
        (
            click.option(
                "--from",
                "source",
                metavar="RUN|NAME|FILE",
                help="Begin with the layers of a run, of a trained model of `tinyml models`, or of a .keras file.",
            ),
            click.option(
                "--freeze", metavar="A,B,…|all", help="Stages of them that never change, such as stem,block1."
            ),
            click.option(
                "--release",
                metavar="5,10,…",
                help="Freeze all of them first; after so many epochs free one part more, from the head on.",
            ),
            click.option(
                "--trunk-rate",
                type=click.FloatRange(0, 1, min_open=True),
                help="Their learning rate, as a share of the new layers' (default: 0.1).",
            ),
            click.option(
                "--old-data", type=click.Path(path_type=Path), help="Measure on this data set what is forgotten."
            ),
        )
    ):
        function = option(function)
    return function


def size_options(function: F) -> F:
    """``--set`` and ``--board`` with its limits."""
    for option in reversed(
        (
            click.option(
                "--set",
                "settings",
                type=Setting(),
                multiple=True,
                metavar="OPTION=VALUE",
                help="An option of the network (`tinyml models NAME`), such as width=0.5; may be repeated.",
            ),
            click.option("--resolution", type=click.IntRange(16, 1024), help="Size of the pictures it takes."),
            click.option("--board", "-b", metavar="NAME|FILE", help="Choose the largest size that fits this board."),
            click.option("--budget", "--sram", "budget", type=ByteSize(), help="… and this much SRAM, e.g. 64KB."),
            click.option("--flash", type=ByteSize(), help="… and this much flash, e.g. 256KB."),
            click.option("--max-latency", type=Milliseconds(), metavar="TIME", help="… and this time, e.g. 200ms."),
        )
    ):
        function = option(function)
    return function


def chosen_transfer(values: dict[str, Any]) -> TransferOptions | None:
    """The transfer that the verb's parameters ask for, which it takes out of ``values``; None for none.

    Raises:
        UsageError: an option that goes with ``--from`` alone, or epochs that are no numbers.
    """
    from tinyml.errors import UsageError
    from tinyml.training.transfer import TransferOptions

    given = {name: values.pop(name, None) for name in TRANSFER}
    source = given.pop("source")
    if source is None:
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"--{name.replace('_', '-')} goes with --from", hint="name what to begin with")
        return None
    try:
        release = tuple(int(epoch) for epoch in (given["release"] or "").split(",") if epoch.strip())
    except ValueError:
        raise UsageError(
            f"--release {given['release']} are no epochs", hint="give whole numbers, for instance 5,10"
        ) from None
    freeze = tuple(name.strip() for name in (given["freeze"] or "").split(",") if name.strip())
    return TransferOptions(source, freeze, release, given["trunk_rate"] or 0.1, given["old_data"])


def chosen_size(
    model: str | None, values: dict[str, Any], data: Path, data_options: DataOptions
) -> tuple[str | None, dict[str, Any], Scaled | None]:
    """The network's name, its options, and how it was chosen where a board or a limit was given.

    Takes its parameters out of ``values``; ``data`` is the data set's folder.

    Raises:
        UsageError: nothing to choose from.
        DoesNotFitError: no size fits.
    """
    from tinyml.errors import UsageError
    from tinyml.settings import chosen_board, chosen_model

    given = {name: values.pop(name, None) for name in SIZE}
    settings = dict(given["settings"] or ())
    limits = (given["board"], given["budget"], given["flash"], given["max_latency"])
    if not any(limit is not None for limit in limits):
        if given["resolution"] is not None:
            settings["input_shape"] = _shape(chosen_model(model), given["resolution"])
        return model, settings, None
    if model is None:
        raise UsageError("no model was given to size for the board", hint="name a family of `tinyml models`")
    from tinyml.boards import load_board
    from tinyml.cli.scale import ScaleProgress
    from tinyml.scaling.for_data import scale_for
    from tinyml.scaling.scale import ScaleRequest

    request = ScaleRequest(
        model,
        load_board(chosen_board(given["board"])),
        pipeline_options({"sram": given["budget"], "flash": given["flash"]}),
        given["max_latency"],
        pinned=settings,
        resolution=given["resolution"],
    )
    with ScaleProgress() as progress:
        scaled = scale_for(request, data, data_options, progress.tried)
    chosen = {key: value for key, value in scaled.best.candidate.values.items() if key != "classes"}
    return scaled.best.candidate.name, chosen, scaled


def _shape(model: str, side: int) -> tuple[int, ...]:
    from tinyml.training.definition import find_definition

    return (side, side, find_definition(model).input_shape[-1])
