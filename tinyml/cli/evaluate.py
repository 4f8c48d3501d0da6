"""``tinyml evaluate``: how an int8 model does on a data set."""

from __future__ import annotations

from pathlib import Path

import click

from tinyml.cli.options import data_option, json_option, layout_option, seed_option
from tinyml.cli.verb import verb


@verb(
    "evaluate",
    "tinyml evaluate runs/ds_cnn --data speech_commands --html report.html",
    "tinyml evaluate kws_ds_cnn_s --data speech_commands --minutes 30   # misses and false accepts as well",
)
@click.argument("model", required=False)
@data_option("The data set's folder (default: the run's, else tinyml.toml's).")
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train", "all"]),
    default="test",
    show_default=True,
    help="Which samples.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many samples, drawn evenly.")
@layout_option
@click.option(
    "--minutes",
    type=click.FloatRange(0.2, 600),
    metavar="N",
    help="Keywords: also listen to so many minutes of sound made of the clips, at every threshold.",
)
@seed_option(0, "With --minutes: seed of the sound.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write pictures here, PNG and SVG.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report to this file too: one HTML page.",
)
@json_option
def command(
    model: str | None,
    data: Path | None,
    split: str,
    limit: int | None,
    layout: str | None,
    minutes: float | None,
    seed: int,
    plots: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Score MODEL on a data set: accuracy, precision and recall by class, ROC, confusion; AUC and pAUC of anomalies.

    MODEL is a run's folder, a .tflite file with its .json beside it, or a name from `tinyml models`. It runs on
    LiteRT's reference kernels, whose bytes the firmware equals: the scores are the board's. It needs no TensorFlow.
    """
    from dataclasses import replace

    from tinyml.cli import output as out
    from tinyml.cli.data_progress import DownloadProgress
    from tinyml.cli.progress import status
    from tinyml.evaluation.plots import write_plots
    from tinyml.evaluation.run import ALL, Model, evaluate, open_for
    from tinyml.files import write_file
    from tinyml.pipeline.stream import curve
    from tinyml.report.evaluation import evaluation_page, evaluation_report
    from tinyml.report.tables import print_report
    from tinyml.settings import chosen_data, chosen_model
    from tinyml.sources import load_source
    from tinyml.training.runs import data_of_run

    if minutes is not None and split in ("train", ALL):
        raise click.UsageError("--minutes takes sound of the test or the validation split")
    named = chosen_model(model)
    source = load_source(named)
    known = Model(source.name, source.content, source.manifest)
    dataset = open_for(known, chosen_data(data or data_of_run(named)), layout)
    with DownloadProgress() as progress:
        result = evaluate(known, dataset, split, limit, lambda done, total: progress.update("scoring", done, total))
    if minutes is not None:
        with status("listening"):
            result = replace(result, stream=curve(source, dataset, split=split, minutes=minutes, seed=seed))
    if plots is not None:
        for path in write_plots(result, plots):
            out.note(f"wrote {path}")
    if html is not None:
        write_file(html, evaluation_page(result))
        out.note(f"wrote {html}")
    if as_json:
        out.print_json(result.to_json())
    else:
        print_report(*evaluation_report(result))
