"""``tinyml train``: fit a model on a data set."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from tinyml.cli.options import json_option
from tinyml.cli.train_options import chosen_size, chosen_transfer, size_options, transfer_options


@click.command("train")
@click.argument("model", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="The data set's folder.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The run's folder (default: runs/MODEL, or the next free)."
)
@click.option("--words", metavar="A,B,…", help="Keywords, in the order of the outputs (audio).")
@click.option(
    "--unknown",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A folder with more clips of other words (audio); may be repeated.",
)
@click.option("--words-alone", is_flag=True, help="Without the classes of silence and unknown words (audio).")
@click.option("--epochs", type=click.IntRange(1), help="Most epochs to train; the task has a default.")
@click.option("--batch-size", type=click.IntRange(1), help="Examples a step.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Highest learning rate.")
@click.option("--patience", type=click.IntRange(1), help="Stop after so many epochs without a better validation score.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of everything drawn at random.")
@click.option(
    "--teacher",
    metavar="MODEL",
    multiple=True,
    help="Learn from this one, too: a .keras, .h5 or .tflite file, or a run; of several the mean answer.",
)
@click.option("--temperature", type=float, default=4.0, show_default=True, help="How soft the teacher's answers are.")
@click.option("--alpha", type=float, default=0.7, show_default=True, help="Weight of the teacher's answers, 0 to 1.")
@click.option(
    "--features",
    metavar="STUDENT=TEACHER",
    multiple=True,
    help="Layers whose outputs are to become alike; may be repeated.",
)
@click.option("--feature-maps", is_flag=True, help="Compare the layers place by place, not their means.")
@click.option("--beta", type=float, default=1.0, show_default=True, help="Weight of the layers' likeness.")
@click.option(
    "--teacher-range", type=float, nargs=2, metavar="LOW HIGH", help="What the first takes for codes -128 and 127."
)
@click.option(
    "--teacher-frontend",
    type=click.Choice(("mlperf", "own")),
    help="The teacher hears the clips (audio) by MLPerf Tiny's front-end, or by the one beside it.",
)
@click.option("--teacher-labels", metavar="A,B,…", help="Its classes in the order of its outputs, where unknown.")
@click.option("--teacher-blur", type=float, default=0.0, metavar="PIXELS", help="Smooth what the first sees.")
@click.option("--generations", type=click.IntRange(1), default=1, show_default=True, help="Then learn from oneself.")
@click.option("--qat", type=click.IntRange(1), metavar="EPOCHS", help="Then train on as int8 computes, so many epochs.")
@click.option(
    "--qat-ranges",
    type=click.Choice(("averaged", "learned")),
    default="averaged",
    show_default=True,
    help="How the ranges of activations are found while training on.",
)
@click.option(
    "--distribute",
    type=click.Choice(("none", "mirrored", "workers")),
    help="Split batches over this machine's GPUs, or over TF_CONFIG's workers (the default where it has several).",
)
@click.option(
    "--tensorboard/--no-tensorboard", default=None, help="Log every epoch for TensorBoard in RUN/logs (default: on)."
)
@transfer_options
@size_options
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with an interrupted run.")
@json_option
def command(
    model: str | None,
    data: Path | None,
    output: Path | None,
    words: str | None,
    unknown: tuple[Path, ...],
    words_alone: bool,
    seed: int,
    teacher: tuple[str, ...],
    temperature: float,
    alpha: float,
    features: tuple[str, ...],
    feature_maps: bool,
    beta: float,
    teacher_range: tuple[float, float] | None,
    teacher_blur: float,
    teacher_frontend: str | None,
    teacher_labels: str | None,
    generations: int,
    qat: int | None,
    qat_ranges: str,
    distribute: str | None,
    resume: Path | None,
    as_json: bool,
    **fit_options: Any,
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

    asked = (model, data, output, words, unknown, words_alone, qat, teacher, features, generations > 1)
    if resume is not None and (any(asked) or any(value not in (None, ()) for value in fit_options.values())):
        raise UsageError(
            "--resume goes on with a run as it was started", hint=f"leave the rest out: tinyml train --resume {resume}"
        )

    from tinyml.compression.distill import DistillOptions
    from tinyml.training.fit import InterruptedRunError
    from tinyml.training.qat import QatOptions
    from tinyml.training.recipes import DataOptions
    from tinyml.training.runs import check_free
    from tinyml.training.session import Request
    from tinyml.training.together import resume as resume_run
    from tinyml.training.together import train

    distill = None
    if teacher or features or teacher_range or teacher_blur or teacher_frontend or teacher_labels or generations > 1:
        distill = DistillOptions(
            teacher=teacher[0] if teacher else None,
            temperature=temperature,
            alpha=alpha,
            features=tuple(split_pair(pair) for pair in features),
            beta=beta,
            input_range=teacher_range,
            frontend=teacher_frontend,
            labels=split_words(teacher_labels),
            generations=generations,
            others=teacher[1:],
            maps=feature_maps,
            blur=teacher_blur,
        )
    transfer = chosen_transfer(fit_options)
    data_options = DataOptions(words=split_words(words), unknown=unknown, words_alone=words_alone, seed=seed)
    scaled = None
    if resume is None:
        folder = Path(chosen_data(None if data is None else str(data)))
        if output is not None:
            check_free(output)
        name, model_options, scaled = chosen_size(model, fit_options, folder, data_options)
    given = {name: value for name, value in fit_options.items() if value is not None}
    try:
        with EpochProgress() as progress:
            if resume is not None:
                trained = resume_run(resume, distribute, progress)
            else:
                request = Request(
                    model=name if transfer is not None else chosen_model(name),
                    data=folder,
                    output=output,
                    data_options=data_options,
                    fit=given,
                    model_options=model_options,
                    transfer=transfer,
                    scaled=None if scaled is None else scaled.to_json(),
                    qat=None if qat is None else QatOptions(qat, qat_ranges),
                    distill=distill,
                    command=shlex.join(["tinyml", *sys.argv[1:]]),
                )
                trained = train(request, distribute, progress)
    except InterruptedRunError as interruption:
        path = interruption.run.path
        click.echo(f"interrupted after {interruption.epochs} whole epochs, which {path} keeps", err=True)
        click.echo(f"hint: go on with: tinyml train --resume {path}", err=True)
        raise click.exceptions.Exit(130) from None
    if trained is None:
        out.note("done: the chief among the workers has the run")
        if as_json:
            out.print_json({"run": str(resume or output)})
        return
    if as_json:
        out.print_json(trained.to_json())
        return
    test, state = trained.test, trained.state
    click.echo(f"{trained.run.path}: {state.epoch} epochs in {trained.seconds:.0f} s, best {state.best_epoch}")
    click.echo(f"float {test.metric} {test.value:.4f} on {test.examples} test examples")
    forgetting = trained.run.manifest.get("forgetting")
    if forgetting is not None:
        told = "old task: {metric} {before:.4f} before, {after:.4f} after on {examples} test examples"
        click.echo(told.format_map(forgetting))
    out.note(f"next: tinyml quantize {trained.run.path}")


def split_words(text: str | None) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def split_pair(text: str) -> tuple[str, str]:
    """The two names of ``STUDENT=TEACHER``.

    Raises:
        UsageError: it is no such pair.
    """
    from tinyml.errors import UsageError

    student, _, teacher = text.partition("=")
    if not student or not teacher:
        raise UsageError(
            f"{text!r} is no pair of layers", hint="write STUDENT=TEACHER, for instance --features pool=pool"
        )
    return student, teacher
