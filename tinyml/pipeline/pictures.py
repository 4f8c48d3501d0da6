"""Pictures through the very firmware that is flashed: built, run in emulation, compared with the reference."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyml.boards import Board
from tinyml.emulate.pictures import (
    BATCH,
    Picture,
    Seen,
    dataset_pictures,
    expected,
    picture_dataset,
    picture_files,
    see,
)
from tinyml.emulate.run import choose_emulator
from tinyml.errors import MismatchError, UsageError
from tinyml.firmware.app_values import VISION, class_names
from tinyml.firmware.detect import APP as DETECTION
from tinyml.firmware.detect import detector
from tinyml.pipeline.compiled import Options
from tinyml.pipeline.verbs import application
from tinyml.report.pictures import PicturesResult
from tinyml.tflite.reference import Reference

APPS = (VISION, DETECTION)
"""The applications with a camera; the first stands for both where none is named."""


def emulate_pictures(
    model: Any,
    board: str | Board,
    options: Options,
    *,
    images: Sequence[Path] = (),
    dataset: Path | None = None,
    limit: int | None = None,
    output: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> PicturesResult:
    """Feed ``images`` (files and folders), or the test split of ``dataset``, to the firmware's camera.

    ``limit`` bounds how many of the data set are taken; ``progress`` is called with how many are done. Raises
    UsageError for bad pictures and for a data set where the application detects things, MismatchError where the
    firmware says something else than the reference of any.
    """
    app = options.app if options.app in APPS else VISION
    if dataset is not None and app == DETECTION:
        raise UsageError("a data set tells what a picture shows, not where", hint="give pictures with --image")
    started = time.monotonic()
    known = None if dataset is None else picture_dataset(dataset)
    pictures = picture_files(images) if known is None else list(dataset_pictures(known, limit))
    if not pictures:
        raise UsageError(
            f"{dataset} has no readable test pictures", hint="`tinyml data info FOLDER --check` names what is damaged"
        )
    options = replace(options, app=app, labels=options.labels or (() if known is None else known.classes))
    with application(model, board, output, options) as (compiled, firmware):
        names = compiled.source.labels or compiled.graph.labels or options.labels
        found = detector(compiled.graph, names, compiled.source.manifest) if app == DETECTION else None
        labels = class_names(compiled.graph, names) if found is None else found.names
        if known is not None and not set(known.classes) <= set(labels):
            raise UsageError(
                f"the data set's classes are {', '.join(known.classes)}, the model's {', '.join(labels)}",
                hint="give the data set that the model was trained for",
            )
        reference = Reference(compiled.source.content, match=options.match)
        emulator = choose_emulator(compiled.board, options.emulator).kind
        verdicts: list[Seen] = []
        first: str | None = None
        different = 0
        for batch in _batches(pictures, BATCH):
            said = see(firmware.elf, compiled.board, batch, emulator)
            verdicts += said
            for picture, one in zip(batch, said, strict=True):
                wanted = expected(compiled.board, compiled.graph, labels, reference, picture, found)
                if one != wanted:
                    different += 1
                    says = [seen.scores or seen.found for seen in (one, wanted)]
                    first = first or f"{picture.name} gives {says[0]}, the reference {says[1]}"
            if progress is not None:
                progress(len(verdicts))
    if different:
        raise MismatchError(
            f"{different} of {len(pictures)} pictures differ from the reference: {first}",
            hint="run `tinyml emulate --trace` to find the first tensor that differs, and please report it",
        )
    return PicturesResult(
        model=compiled.source.name,
        board=compiled.board.name,
        app=app,
        emulator=emulator,
        labels=labels,
        pictures=tuple(verdicts),
        different=different,
        seconds=time.monotonic() - started,
    )


def _batches(pictures: Sequence[Picture], size: int) -> list[Sequence[Picture]]:
    return [pictures[at : at + size] for at in range(0, len(pictures), size)]
