"""``tinyml emulate --image`` and ``--dataset``: pictures through the firmware's camera driver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinyml.cli.output import show_result

if TYPE_CHECKING:
    from tinyml.pipeline import Options

F = TypeVar("F", bound=Callable[..., Any])


def image_option(function: F) -> F:
    """``--image``: pictures for the camera."""
    return click.option(
        "--image",
        "images",
        type=click.Path(path_type=Path),
        metavar="PATH",
        multiple=True,
        help="A picture, or a folder of them, for the camera of the applications vww and detect; may be repeated.",
    )(function)


def dataset_options(function: F) -> F:
    """``--dataset`` and ``--limit``: a data set's test split through the application's own microphone or camera."""
    function = click.option(
        "--limit", type=click.IntRange(1), metavar="N", help="At most so many samples of --dataset."
    )(function)
    return click.option(
        "--dataset",
        type=click.Path(path_type=Path, exists=True),
        metavar="DIR",
        help="A data set whose test split goes through the application's camera or microphone.",
    )(function)


def is_picture_set(dataset: Path | None) -> bool:
    """Whether ``--dataset`` names a data set of pictures. Raises UsageError where it is none at all."""
    if dataset is None:
        return False
    from tinyml.data import open_dataset
    from tinyml.data.base import IMAGE

    return open_dataset(dataset).kind == IMAGE


def emulate_pictures(
    model: str,
    board: str,
    output: Path | None,
    options: Options,
    images: tuple[Path, ...],
    dataset: Path | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Runs the verb and prints its result. Raises UsageError for an application without a camera."""
    from tinyml.cli.progress import status
    from tinyml.errors import UsageError
    from tinyml.pipeline.pictures import APPS
    from tinyml.pipeline.pictures import emulate_pictures as emulate
    from tinyml.report.pictures import pictures_report

    if images and dataset is not None:
        raise UsageError("--image and --dataset are both given", hint="give one of them")
    if options.app not in (*APPS, "benchmark"):
        able = " and ".join(APPS)
        raise UsageError(f"the application {options.app} has no camera", hint=f"pictures are for --app {able}")
    with status("showing pictures to the firmware"):
        result = emulate(model, board, options, images=images, dataset=dataset, limit=limit, output=output)
    show_result(result, pictures_report, as_json)
