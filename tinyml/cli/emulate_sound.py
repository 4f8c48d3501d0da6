"""``tinyml emulate --wav``, and ``--dataset`` with clips: sound through the firmware's microphone driver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinyml.cli.output import show_result

if TYPE_CHECKING:
    from tinyml.pipeline import Options

F = TypeVar("F", bound=Callable[..., Any])


def wav_option(function: F) -> F:
    """``--wav``: sound for the microphone."""
    return click.option(
        "--wav",
        "wavs",
        type=click.Path(path_type=Path),
        metavar="FILE",
        multiple=True,
        help="A WAV file for the microphone of the application kws; may be repeated.",
    )(function)


def emulate_wavs(
    model: str, board: str, output: Path | None, options: Options, wavs: tuple[Path, ...], as_json: bool
) -> None:
    """Runs the verb on files and prints its result."""
    from tinyml.cli.progress import status
    from tinyml.pipeline.sound import emulate_sound
    from tinyml.report.sound import sound_report

    with status("playing sound to the firmware"):
        result = emulate_sound(model, board, options, wavs, output)
    show_result(result, sound_report, as_json)


def emulate_clips(
    model: str, board: str, output: Path | None, options: Options, dataset: Path, limit: int | None, as_json: bool
) -> None:
    """Runs the verb on a data set of clips and prints its result."""
    from tinyml.cli.progress import status
    from tinyml.pipeline.sound import emulate_clips as emulate
    from tinyml.report.sound import clips_report

    with status("playing clips to the firmware"):
        result = emulate(model, board, options, dataset, limit, output)
    show_result(result, clips_report, as_json)
