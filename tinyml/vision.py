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
from tinyml.firmware.app_values import class_names
from tinyml.pipeline import Options, application
from tinyml.report.pictures import PicturesResult
from tinyml.tflite.reference import Reference

APP = "vww"


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
    UsageError for bad pictures, MismatchError where the firmware says something else than the reference of any.
    """
    started = time.monotonic()
    known = None if dataset is None else picture_dataset(dataset)
    pictures = picture_files(images) if known is None else list(dataset_pictures(known, limit))
    if not pictures:
        raise UsageError(f"{dataset} has no readable test pictures")
    options = replace(options, app=APP, labels=options.labels or (() if known is None else known.classes))
    with application(model, board, output, options) as (compiled, firmware):
        labels = class_names(compiled.graph, compiled.source.labels or compiled.graph.labels or options.labels)
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
                wanted = expected(compiled.board, compiled.graph, labels, reference, picture)
                if one != wanted:
                    different += 1
                    first = first or f"{picture.name} gives {one.scores}, the reference {wanted.scores}"
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
        app=APP,
        emulator=emulator,
        labels=labels,
        pictures=tuple(verdicts),
        different=different,
        seconds=time.monotonic() - started,
    )


def _batches(pictures: Sequence[Picture], size: int) -> list[Sequence[Picture]]:
    return [pictures[at : at + size] for at in range(0, len(pictures), size)]
