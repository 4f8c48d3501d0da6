"""``tinyml stream``: misses and false accepts over minutes of sound, and the detector's thresholds."""

from __future__ import annotations

from pathlib import Path

import click

from tinyml.cli.options import data_option, json_option, seed_option
from tinyml.cli.output import show_result
from tinyml.cli.verb import verb


@verb(
    "stream",
    "tinyml stream runs/ds_cnn --data speech_commands",
    "tinyml stream runs/ds_cnn --data speech_commands --split validation --tune --write",
    "tinyml stream kws_ds_cnn_s --data speech_commands --board nano33ble --minutes 1   # the firmware listens",
)
@click.argument("model", required=False)
@data_option("The data set of clips that the sound is made of; tinyml.toml's if left out.")
@click.option(
    "--split", type=click.Choice(["validation", "test"]), default="test", show_default=True, help="Whose clips."
)
@click.option(
    "--minutes", type=click.FloatRange(0.2, 600), metavar="N", default=30.0, show_default=True, help="How long."
)
@seed_option(0, "Seed of the words and their places.")
@click.option(
    "--unknown",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    multiple=True,
    help="A folder with clips of other words to be said between; may be repeated.",
)
@click.option(
    "--board",
    "-b",
    metavar="NAME|FILE",
    help="Let the firmware of this board listen, in emulation (default: the same in Python).",
)
@click.option("--tune", "tuned", is_flag=True, help="Choose thresholds and averaging time on this sound.")
@click.option(
    "--false-accepts",
    type=click.FloatRange(0, 10_000),
    metavar="N",
    default=20.0,
    show_default=True,
    help="With --tune: how many an hour are allowed.",
)
@click.option("--write", is_flag=True, help="With --tune: write the detector into the .json beside MODEL.")
@json_option
def command(
    model: str | None,
    data: Path | None,
    split: str,
    minutes: float,
    seed: int,
    unknown: tuple[Path, ...],
    board: str | None,
    tuned: bool,
    false_accepts: float,
    write: bool,
    as_json: bool,
) -> None:
    """Let MODEL listen to minutes of sound with words at known places, and count misses and false accepts.

    The sound is made of a data set's clips and noise; the seed makes it again. Without --board the Python pipeline
    listens, with it the firmware in emulation, whose every score has to be the same. Tune on validation clips and
    judge on test clips.
    """
    from tinyml.cli.progress import status
    from tinyml.pipeline.stream import manifest_beside, stream, write_detector
    from tinyml.report.stream import stream_report
    from tinyml.settings import chosen_data, chosen_model

    if write and not tuned:
        raise click.UsageError("--write goes with --tune")
    source = chosen_model(model)
    if write:
        manifest_beside(Path(source))
    with status("listening"):
        result = stream(
            source,
            chosen_data(data),
            split=split,
            minutes=minutes,
            seed=seed,
            board=board,
            target=false_accepts if tuned else None,
            others=unknown,
        )
    if write and result.tuned is not None:
        click.echo(f"wrote the detector into {write_detector(Path(source), result.tuned[0])}", err=True)
    show_result(result, stream_report, as_json)
