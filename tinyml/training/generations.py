"""Fitting with a teacher, and again with oneself as teacher: each further generation in a folder of its own.

Generation 1 lies in the run's folder, the others in ``RUN/generation-2`` and so on, each with metrics and a state to
resume from. The best by the validation split becomes the run's best model.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tinyml.compression.distill import Distiller, DistillOptions, distill_options
from tinyml.compression.teacher import Teacher, load_teacher
from tinyml.errors import UsageError
from tinyml.files import replacing
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions, InterruptedRunError, Progress, fit, rank
from tinyml.training.runs import COMPLETE, INTERRUPTED, Run, TrainState
from tinyml.training.stages import Schedule


def teacher_entry(options: DistillOptions) -> dict[str, Any]:
    """What a manifest records of the distillation: the options, the teacher's place and the hash of its file."""
    entry = asdict(options)
    if options.teacher is not None and Path(options.teacher).exists():
        path = Path(options.teacher).resolve()
        file = path / "best.keras" if path.is_dir() else path
        entry["teacher"] = str(path)
        if file.is_file():
            entry["teacher_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return entry


def fit_generations(
    run: Run,
    model: Any,
    data: TrainingData,
    options: FitOptions,
    new_model: Callable[[int], Any],
    progress: Progress | None = None,
    schedule: Schedule | None = None,
) -> TrainState:
    """Fit ``model`` as the run's manifest asks, with its teacher and generations; gives the best generation's state.

    ``new_model(seed)`` seeds everything and gives an untrained network; ``schedule`` says what of each is frozen.

    Raises:
        InterruptedRunError: Ctrl-C; the run can be resumed.
        UsageError: the teacher is gone, has changed or does not go with the data.
    """
    entry = run.manifest.get("distill")
    if entry is None:
        return fit(model, data, options, run, progress, schedule=schedule)
    distill = distill_options(entry)
    if distill.teacher is not None:
        _check_unchanged(entry)
    distiller = first_distiller(distill, model, data)
    states = [fit(model, data, options, run, progress, distiller, schedule)]
    folders = [run]
    for number in range(2, distill.generations + 1):
        again = replace(options, seed=options.seed + number - 1)
        student = new_model(again.seed)
        if progress is not None:
            progress.note(f"generation {number} of {distill.generations}")
        predecessor = load_teacher(str(_first_best(run) if number == 2 else folders[-1].best))
        distiller = _distiller(predecessor, _of_oneself(distill, folders[-1]), student, data)
        folder = run.path / f"generation-{number}"
        known = (folder / "manifest.json").is_file()
        phase = Run.open(folder) if known else Run.create(folder, {"options": asdict(again)})
        try:
            states.append(fit(student, data, again, phase, progress, distiller, schedule))
        except InterruptedRunError as interruption:
            run.update(status=INTERRUPTED)
            raise InterruptedRunError(run, interruption.epochs) from interruption
        phase.save_history(states[-1].history)
        phase.update(status=COMPLETE)
        folders.append(phase)
    best = max(range(len(states)), key=lambda at: rank(states[at].history[states[at].best_epoch - 1], data))
    if distill.generations > 1:
        with replacing(run.best) as temporary:
            shutil.copyfile(_first_best(run) if best == 0 else folders[best].best, temporary)
        run.update(generation=best + 1)
    return states[best]


def first_distiller(distill: DistillOptions, model: Any, data: TrainingData) -> Distiller | None:
    """What teaches the first generation; None where it learns from labels alone.

    Raises:
        UsageError: a teacher is gone or does not go with ``model`` and the data, or one of them lacks a layer named.
    """
    if distill.teacher is None:
        return None
    teacher = load_teacher(distill.teacher, [two for _, two in distill.features], maps=distill.maps)
    distiller = _distiller(teacher, distill, model, data, [load_teacher(source) for source in distill.others])
    distiller.extend(model)
    return distiller


def own_distiller(run: Run, student: Any, data: TrainingData) -> Distiller | None:
    """What teaches a finished run's network while it is trained quantised: its own best float network.

    None where the run has learnt from labels alone: it then goes on so.
    """
    entry = run.manifest.get("distill")
    if entry is None:
        return None
    return _distiller(load_teacher(str(run.best)), _of_oneself(distill_options(entry), run), student, data)


def _of_oneself(options: DistillOptions, teacher: Run) -> DistillOptions:
    """The options for a teacher that takes what the student takes: temperature and alpha stay."""
    return replace(DistillOptions(), teacher=str(teacher.path), temperature=options.temperature, alpha=options.alpha)


def _first_best(run: Run) -> Path:
    """The first generation's best model, kept aside before the run's best becomes a later one's."""
    kept = run.path / "generation-1.keras"
    if not kept.is_file():
        with replacing(kept) as temporary:
            shutil.copyfile(run.best, temporary)
    return kept


def _distiller(
    teacher: Teacher, options: DistillOptions, student: Any, data: TrainingData, others: Sequence[Teacher] = ()
) -> Distiller:
    for each in () if options.frontend is not None else (teacher, *others):
        if each.labels and each.labels != data.labels:
            raise UsageError(
                f"teacher {each.name} knows {', '.join(each.labels)}, the data {', '.join(data.labels)}",
                hint="train the student on the same classes in the same order",
            )
    return Distiller(teacher, options, student, data.input_range, others, resized=data.resized is not None)


def _check_unchanged(entry: Mapping[str, Any]) -> None:
    told = entry.get("teacher_sha256")
    if told is not None and teacher_entry(distill_options(entry)).get("teacher_sha256") != told:
        raise UsageError(f"teacher {entry['teacher']} has changed since the run was started", hint="train again")
