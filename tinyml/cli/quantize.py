"""``tinyml quantize``: a trained model to a full-integer int8 ``.tflite``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyml.cli.options import data_option, json_option, qat_ranges_option, seed_option, split_words, words_option
from tinyml.cli.verb import verb

if TYPE_CHECKING:
    from tinyml.training.quantize import Quantised
    from tinyml.training.recipes import DataOptions


@verb(
    "quantize",
    "tinyml quantize runs/ds_cnn --report                 # what int8 costs, layer by layer",
    "tinyml quantize mine.keras --samples inputs.npy --labels yes,no",
)
@click.argument("model", type=click.Path(path_type=Path), metavar="RUN|MODEL.keras")
@data_option("The data set's folder; a run knows its own.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The .tflite file (default: RUN/model.tflite, or beside the .keras file).",
)
@words_option("Keywords, in the order of the outputs (for a .keras file and audio).")
@click.option(
    "--unknown",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    help="A folder with more clips of other words (for a .keras file and audio); may be repeated.",
)
@click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="Inputs of your own to calibrate a .keras file with, instead of --data; nothing is scored then.",
)
@click.option("--labels", metavar="A,B,…", help="Names of the outputs in their order (with --samples).")
@seed_option(1, "Seed of the choice of calibration examples.")
@click.option(
    "--calibration",
    type=click.Choice(("converter", "minmax", "percentile", "mse", "best")),
    default="converter",
    show_default=True,
    help="How the ranges of activations are found; best: by the loss on the validation split.",
)
@click.option("--qat", type=click.IntRange(1), metavar="EPOCHS", help="First train a run on as int8 computes.")
@qat_ranges_option
@click.option("--report", is_flag=True, help="Measure what int8 costs by layer.")
@json_option
def command(
    model: Path,
    data: Path | None,
    output: Path | None,
    words: str | None,
    unknown: tuple[Path, ...],
    samples: Path | None,
    labels: str | None,
    seed: int,
    calibration: str,
    qat: int | None,
    qat_ranges: str,
    report: bool,
    as_json: bool,
) -> None:
    """Convert a run's best model, or a .keras file, to int8 and score both on the test split.

    The result takes and gives int8, has batch 1 and no float inside; its manifest (.json) lies beside it. A .keras file
    needs --data (a data set in a known layout) or --samples (a .npy file with inputs as the model takes them).
    """
    from tinyml.cli import output as out
    from tinyml.cli.progress import status
    from tinyml.errors import UsageError
    from tinyml.training.recipes import DataOptions

    if labels and samples is None:
        raise UsageError("--labels goes with --samples", hint="a run and a data set know their labels")
    if not model.exists():
        raise UsageError(f"there is no run and no model file {model}", hint="`tinyml train` makes runs in runs/")
    if not model.is_dir() and model.suffix != ".keras":
        raise UsageError(f"{model} is no run and no .keras file", hint="train it first: tinyml train")
    if qat is not None and not model.is_dir():
        raise UsageError("--qat trains a run on, and needs its folder", hint="give the run, not its .keras file")
    if qat is not None:
        _train_on(model, qat, qat_ranges, data)
    if samples is not None:
        if report or calibration != "converter":
            raise UsageError(
                "--report and --calibration need a data set or a run", hint="give --data instead of --samples"
            )
        _with_samples(model, samples, split_words(labels), output, as_json)
        return
    options = DataOptions(words=split_words(words), unknown=unknown, seed=seed)
    with status("quantising"):
        quantised, target = _with_data(model, data, options, output, calibration, report)
    if as_json:
        out.print_json({"output": str(target), **quantised.to_json()})
        return
    _print_details(quantised)
    metric = quantised.int8_scores.metric
    rows = [
        [name, f"{scores.value:.4f}", f"{scores.loss:.4f}", str(scores.examples)]
        for name, scores in (("float", quantised.float_scores), ("int8", quantised.int8_scores))
    ]
    out.print_table(["model", metric, "loss", "examples"], rows, right=(1, 2, 3))
    click.echo(f"{target}: {len(quantised.content):,} bytes, {_change(quantised.loss)}")
    out.note(f"next: tinyml build {model if output is None and model.is_dir() else target} --board nano33ble")


def _with_data(
    model: Path, data: Path | None, options: DataOptions, output: Path | None, calibration: str, report: bool
) -> tuple[Quantised, Path]:
    """The int8 model of a run, by its own data, or of a ``.keras`` file, by a data set; and where it lies."""
    from tinyml.errors import UsageError
    from tinyml.settings import chosen_data, load_settings
    from tinyml.training.quantise_runs import quantise_file, quantise_run

    if model.is_dir():
        if options.words or options.unknown:
            raise UsageError("a run knows its words", hint="leave --words and --unknown out")
        return quantise_run(model, data_folder=data, output=output, calibration=calibration, report=report)
    if data is None and load_settings().data is None:
        raise UsageError(
            f"{model} needs data to calibrate with",
            hint="give --data DIR, or --samples FILE.npy with inputs as the model takes them",
        )
    return quantise_file(
        model, data_folder=chosen_data(data), options=options, output=output, calibration=calibration, report=report
    )


def _change(loss: float) -> str:
    """What int8 costs of a share, in points, or gains."""
    points = 100 * loss
    return f"gains {-points:.2f} points" if points <= -0.005 else f"loses {max(points, 0.0):.2f} points"


def _train_on(run: Path, epochs: int, ranges: str, data: Path | None) -> None:
    """Train a finished run on, quantised, with a line an epoch; leaves with 130 where it is interrupted."""
    from tinyml.cli.training_progress import EpochProgress
    from tinyml.training.fit import InterruptedRunError
    from tinyml.training.qat import QatOptions
    from tinyml.training.quantise_runs import train_on
    from tinyml.training.runs import Run

    try:
        with EpochProgress() as progress:
            train_on(Run.open(run), QatOptions(epochs, ranges), data, progress)
    except InterruptedRunError as interruption:
        click.echo(f"interrupted after {interruption.epochs} whole epochs, which {run} keeps", err=True)
        click.echo(f"hint: go on with the same command, or: tinyml train --resume {run}", err=True)
        raise click.exceptions.Exit(130) from None


def _print_details(quantised: Quantised) -> None:
    """The calibrations that were tried, and the errors by layer, the worst marked."""
    from tinyml.cli import output as out

    if len(quantised.calibration) > 1:
        tried = [
            [
                found.method,
                "equalised" if found.equalised else "as they are",
                "corrected" if found.bias_corrected else "as they are",
                f"{found.validation_loss:.5f}",
            ]
            for found in quantised.calibration
        ]
        out.print_table(["calibration", "kernels", "biases", "validation loss"], tried, right=(3,))
    if quantised.report:
        worst = sorted(error.alone_db for error in quantised.report)[:3][-1]
        rows = [
            [
                error.layer,
                error.kind,
                f"{error.sqnr_db:.1f}",
                f"{error.alone_db:.1f}",
                "hurts" * (error.alone_db <= worst),
            ]
            for error in quantised.report
        ]
        out.print_table(["layer", "what", "SQNR dB", "alone dB", ""], rows, right=(2, 3))


def _with_samples(model: Path, samples: Path, labels: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    from tinyml.cli import output as out
    from tinyml.cli.progress import status
    from tinyml.errors import UsageError
    from tinyml.training.samples import quantise_with_samples

    if model.is_dir():
        raise UsageError("a run is calibrated with its own data", hint="leave --samples out")
    with status("quantising"):
        manifest, target = quantise_with_samples(model, samples, labels=labels, output=output)
    if as_json:
        out.print_json({"output": str(target), **manifest})
        return
    click.echo(f"{target}: {manifest['bytes']:,} bytes, calibrated with {manifest['calibration_examples']} samples")
    out.note(f"next: tinyml build {target} --board nano33ble")
