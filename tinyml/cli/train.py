"""``tinyml train``: fit a model on a data set."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tinyml.cli.options import data_option, json_option, split_words
from tinyml.cli.train_options import (
    audio_options,
    chosen_size,
    chosen_teacher,
    chosen_transfer,
    fit_options,
    qat_options,
    size_options,
    teacher_options,
    transfer_options,
)
from tinyml.cli.verb import verb

if TYPE_CHECKING:
    from tinyml.training.session import Trained


@verb(
    "train",
    "tinyml train ds_cnn --data speech_commands --words yes,no,stop",
    "tinyml train model.py --data photos --epochs 30 --qat 5    # a file with build_model()",
    "tinyml train mobilenet_v2 --data photos --board nano33ble  # the largest that fits",
    "tinyml train --from runs/ds_cnn --data my_words --freeze stem",
    "tinyml train --resume runs/ds_cnn",
)
@click.argument("model", required=False)
@data_option("The data set's folder; tinyml.toml's if left out.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run's folder (default: runs/MODEL, or the next free).",
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with an interrupted run.")
@audio_options
@fit_options
@teacher_options
@qat_options
@transfer_options
@size_options
@json_option
def command(
    model: str | None,
    data: Path | None,
    output: Path | None,
    resume: Path | None,
    words: str | None,
    unknown: tuple[Path, ...],
    words_alone: bool,
    seed: int,
    distribute: str | None,
    qat: int | None,
    qat_ranges: str,
    as_json: bool,
    **values: Any,
) -> None:
    """Train MODEL, a name from `tinyml models` or a Python file with build_model(), on a data set.

    The run's folder keeps the best model, metrics, the confusion matrix and the state that `--resume` goes on from.
    Ctrl-C stops after the current step and leaves with 130; nothing of the epochs done is lost. With --board MODEL may
    be a family, of which the largest network is trained that fits; with --from it may be left out.
    """
    from tinyml.cli import output as out
    from tinyml.cli.training_progress import EpochProgress
    from tinyml.errors import UsageError
    from tinyml.settings import chosen_data, chosen_model

    if resume is not None and (others := _given_beside_resume()):
        raise UsageError(
            f"--resume goes on with a run as it was started, without {', '.join(others)}",
            hint=f"leave the rest out: tinyml train --resume {resume}",
        )

    from tinyml.training.fit import InterruptedRunError
    from tinyml.training.qat import QatOptions
    from tinyml.training.recipes import DataOptions
    from tinyml.training.runs import check_free
    from tinyml.training.session import Request
    from tinyml.training.together import resume as resume_run
    from tinyml.training.together import train

    request = None
    if resume is None:
        distill, transfer = chosen_teacher(values), chosen_transfer(values)
        data_options = DataOptions(words=split_words(words), unknown=unknown, words_alone=words_alone, seed=seed)
        folder = chosen_data(data)
        if output is not None:
            check_free(output)
        name, model_options, scaled = chosen_size(model, values, folder, data_options)
        request = Request(
            model=name if transfer is not None else chosen_model(name),
            data=folder,
            output=output,
            data_options=data_options,
            fit={name: value for name, value in values.items() if value is not None},
            model_options=model_options,
            transfer=transfer,
            scaled=None if scaled is None else scaled.to_json(),
            qat=None if qat is None else QatOptions(qat, qat_ranges),
            distill=distill,
            command=shlex.join(["tinyml", *sys.argv[1:]]),
        )
    try:
        with EpochProgress() as progress:
            if request is not None:
                trained = train(request, distribute, progress)
            elif resume is not None:
                trained = resume_run(resume, distribute, progress)
    except InterruptedRunError as interruption:
        path = interruption.run.path
        click.echo(f"interrupted after {interruption.epochs} whole epochs, which {path} keeps", err=True)
        click.echo(f"hint: go on with: tinyml train --resume {path}", err=True)
        raise click.exceptions.Exit(130) from None
    if trained is None:
        out.note("done: the chief among the workers has the run")
        if as_json:
            out.print_json({"run": str(resume or output)})
    elif as_json:
        out.print_json(trained.to_json())
    else:
        _print(trained)


def _given_beside_resume() -> list[str]:
    """What the command line gives that a resumed run knows already, as it is written there."""
    context = click.get_current_context()
    return [
        parameter.opts[0] if isinstance(parameter, click.Option) else "MODEL"
        for parameter in context.command.params
        if parameter.name in context.params
        and parameter.name not in ("resume", "distribute", "as_json")
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]


def _print(trained: Trained) -> None:
    from tinyml.cli import output as out

    test, state = trained.test, trained.state
    click.echo(f"{trained.run.path}: {state.epoch} epochs in {trained.seconds:.0f} s, best {state.best_epoch}")
    click.echo(f"float {test.metric} {test.value:.4f} on {test.examples} test examples")
    forgetting = trained.run.manifest.get("forgetting")
    if forgetting is not None:
        told = "old task: {metric} {before:.4f} before, {after:.4f} after on {examples} test examples"
        click.echo(told.format_map(forgetting))
    out.note(f"next: tinyml quantize {trained.run.path}")
