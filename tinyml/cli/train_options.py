"""The options of ``tinyml train``, section by section, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyml.cli.options import (
    ByteSize,
    Milliseconds,
    Setting,
    pipeline_options,
    qat_ranges_option,
    seed_option,
    split_words,
    words_option,
)
from tinyml.cli.verb import options

if TYPE_CHECKING:
    from tinyml.compression.distill import DistillOptions
    from tinyml.scaling.scale import Scaled
    from tinyml.training.recipes import DataOptions
    from tinyml.training.transfer import TransferOptions

TEACHER = (
    "teacher",
    "temperature",
    "alpha",
    "features",
    "feature_maps",
    "beta",
    "teacher_range",
    "teacher_frontend",
    "teacher_labels",
    "teacher_blur",
    "generations",
)
TRANSFER = ("source", "freeze", "release", "trunk_rate", "old_data")
SIZE = ("board", "budget", "flash", "max_latency", "resolution", "settings")

audio_options = options(
    words_option("Keywords, in the order of the outputs."),
    click.option(
        "--unknown",
        type=click.Path(path_type=Path),
        metavar="DIR",
        multiple=True,
        help="A folder with more clips of other words; may be repeated.",
    ),
    click.option("--words-alone", is_flag=True, help="Without the classes of silence and unknown words."),
    section="Sound",
)
"""What to make of clips."""

fit_options = options(
    click.option("--epochs", type=click.IntRange(1), metavar="N", help="Most epochs to train (default: the task's)."),
    click.option("--batch-size", type=click.IntRange(1), metavar="N", help="Examples a step (default: the task's)."),
    click.option(
        "--learning-rate",
        type=click.FloatRange(0, min_open=True),
        metavar="RATE",
        help="Highest learning rate (default: the task's).",
    ),
    click.option(
        "--patience",
        type=click.IntRange(1),
        metavar="EPOCHS",
        help="Stop after so many epochs without a better validation score (default: the task's).",
    ),
    seed_option(1, "Seed of everything drawn at random."),
    click.option(
        "--distribute",
        type=click.Choice(("none", "mirrored", "workers")),
        help="Split batches over this machine's GPUs, or over TF_CONFIG's workers (the default where it has several).",
    ),
    click.option(
        "--tensorboard/--no-tensorboard",
        default=None,
        help="Log every epoch for TensorBoard in RUN/logs (default: on).",
    ),
    section="Fitting",
)
"""How long and how fast it learns, and on what."""

teacher_options = options(
    click.option(
        "--teacher",
        metavar="MODEL",
        multiple=True,
        help="A trained network: a .keras, .h5 or .tflite file, or a run; of several the mean answer counts.",
    ),
    click.option(
        "--temperature",
        type=float,
        metavar="T",
        default=4.0,
        show_default=True,
        help="How soft the teacher's answers are, above 0.",
    ),
    click.option(
        "--alpha",
        type=float,
        metavar="PART",
        default=0.7,
        show_default=True,
        help="Weight of the teacher's answers against the labels, 0 to 1.",
    ),
    click.option(
        "--features",
        metavar="STUDENT=TEACHER",
        multiple=True,
        help="Layers whose outputs are to become alike; may be repeated.",
    ),
    click.option("--feature-maps", is_flag=True, help="With --features: compare place by place, not the means."),
    click.option(
        "--beta",
        type=float,
        metavar="WEIGHT",
        default=1.0,
        show_default=True,
        help="With --features: weight of their likeness.",
    ),
    click.option(
        "--teacher-range",
        type=float,
        nargs=2,
        metavar="LOW HIGH",
        help="Input values that the first teacher takes for the codes -128 and 127 (default: the student's).",
    ),
    click.option(
        "--teacher-frontend",
        type=click.Choice(("mlperf", "own")),
        help="Through which front-end the first teacher hears clips: MLPerf Tiny's, or the one beside its file.",
    ),
    click.option(
        "--teacher-labels",
        metavar="A,B,…",
        help="The first teacher's classes, in the order of its outputs, where its file does not name them.",
    ),
    click.option(
        "--teacher-blur",
        type=float,
        metavar="PIXELS",
        default=0.0,
        help="Smooth the pictures that the first teacher sees, by this standard deviation.",
    ),
    click.option(
        "--generations",
        type=click.IntRange(1),
        metavar="N",
        default=1,
        show_default=True,
        help="Train anew so often, each time with the last network as teacher (born-again networks).",
    ),
    section="Learning from a teacher",
)
"""``--teacher`` and what goes with it."""

qat_options = options(
    click.option(
        "--qat", type=click.IntRange(1), metavar="EPOCHS", help="Then train on as int8 computes, so many epochs."
    ),
    qat_ranges_option,
    section="Quantisation-aware training",
)
"""``--qat`` and what goes with it."""

transfer_options = options(
    click.option(
        "--from",
        "source",
        metavar="RUN|NAME|FILE",
        help="Begin with the layers of a run, of a trained model of `tinyml models`, or of a .keras file.",
    ),
    click.option(
        "--freeze", metavar="A,B,…|all", help="Stages of those layers that never change, such as stem,block1."
    ),
    click.option(
        "--release",
        metavar="5,10,…",
        help="Freeze all of them first; after so many epochs free one stage more, from the head on.",
    ),
    click.option(
        "--trunk-rate",
        type=click.FloatRange(0, 1, min_open=True),
        metavar="PART",
        help="Their learning rate, as a part of the new layers' (default: 0.1).",
    ),
    click.option(
        "--old-data",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The data set of the old task: how much of it is forgotten is measured.",
    ),
    section="Beginning with trained layers",
)
"""``--from`` and what goes with it."""

size_options = options(
    click.option(
        "--set",
        "settings",
        type=Setting(),
        multiple=True,
        metavar="OPTION=VALUE",
        help="An option of the network (`tinyml models NAME`), such as width=0.5; may be repeated.",
    ),
    click.option(
        "--resolution", type=click.IntRange(16, 1024), metavar="PIXELS", help="Size of the pictures it takes."
    ),
    click.option("--board", "-b", metavar="NAME|FILE", help="Choose the largest size that fits this board."),
    click.option("--sram", "--budget", "budget", type=ByteSize(), help="With --board: and this much SRAM, e.g. 64KB."),
    click.option("--flash", type=ByteSize(), help="With --board: and this much flash, e.g. 256KB."),
    click.option("--max-latency", type=Milliseconds(), metavar="TIME", help="With --board: and this time, e.g. 200ms."),
    section="Size of the network",
)
"""``--set`` and ``--board`` with its limits."""


def chosen_teacher(values: dict[str, Any]) -> DistillOptions | None:
    """The teacher that the verb's parameters ask for, which it takes out of ``values``; None for none.

    Raises:
        UsageError: ``--features`` that are no pairs.
    """
    from tinyml.compression.distill import DistillOptions

    given = {name: values.pop(name) for name in TEACHER}
    teachers, generations = given["teacher"], given["generations"]
    of_one = ("features", "teacher_range", "teacher_frontend", "teacher_labels", "teacher_blur")
    if not teachers and generations == 1 and not any(given[name] for name in of_one):
        return None
    return DistillOptions(
        teacher=teachers[0] if teachers else None,
        temperature=given["temperature"],
        alpha=given["alpha"],
        features=tuple(_split_pair(pair) for pair in given["features"]),
        beta=given["beta"],
        input_range=given["teacher_range"],
        frontend=given["teacher_frontend"],
        labels=split_words(given["teacher_labels"]),
        generations=generations,
        others=teachers[1:],
        maps=given["feature_maps"],
        blur=given["teacher_blur"],
    )


def _split_pair(text: str) -> tuple[str, str]:
    """The two names of ``STUDENT=TEACHER``."""
    from tinyml.errors import UsageError

    student, _, teacher = text.partition("=")
    if not student or not teacher:
        raise UsageError(
            f"{text!r} is no pair of layers", hint="write STUDENT=TEACHER, for instance --features pool=pool"
        )
    return student, teacher


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
