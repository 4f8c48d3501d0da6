"""Training and resuming wherever ``tf.distribute`` puts them: of several workers the chief alone writes the run.

Every worker keeps a state of its own, in a folder that is dropped at the end, because each decides on the best epoch
and on stopping by itself; as all see the same weights, they decide alike.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tinyml.errors import BuildError, UsageError
from tinyml.tflite.quiet import import_tensorflow
from tinyml.training import session
from tinyml.training.distribute import Place, distributed, read_cluster
from tinyml.training.fit import InterruptedRunError, Progress
from tinyml.training.runs import Run, check_free


def train(request: session.Request, kind: str | None, progress: Progress | None = None) -> session.Trained | None:
    """:func:`tinyml.training.session.train` on the replicas of ``kind``; None where this is not the chief.

    Raises:
        UsageError: as there, or TF_CONFIG does not go with ``kind``.
        BuildError: another worker is gone.
        InterruptedRunError: Ctrl-C at any worker; the run can be resumed.
    """
    if request.output is not None and (read_cluster() or (0, 1))[0] == 0:
        check_free(request.output)
    with distributed(kind) as (_, place), _others_are_there(place):
        if place.chief:
            return session.train(request, progress)
        if request.output is None:
            raise UsageError("several workers need a common --output", hint="give all of them the same --output RUN")
        with _own_folder(request.output) as own:
            session.train(replace(request, output=own))
        return None


def resume(path: Path, kind: str | None, progress: Progress | None = None) -> session.Trained | None:
    """:func:`tinyml.training.session.resume` on the replicas of ``kind``; every worker needs to see the run's folder.

    Raises: as :func:`train`.
    """
    with distributed(kind) as (_, place), _others_are_there(place):
        if place.chief:
            return session.resume(path, progress)
        with _own_folder(path) as own:
            shutil.copytree(Run.open(path).path, own, ignore=shutil.ignore_patterns(".*"))
            session.resume(own)
        return None


@contextlib.contextmanager
def _own_folder(run: Path) -> Iterator[Path]:
    """A folder for a worker's state, dropped at the end; an interruption is told of the ``run`` that the chief has."""
    with tempfile.TemporaryDirectory(prefix="tinyml-worker-") as folder:
        try:
            yield Path(folder) / "run"
        except InterruptedRunError as interruption:
            raise InterruptedRunError(Run(run), interruption.epochs) from interruption


@contextlib.contextmanager
def _others_are_there(place: Place) -> Iterator[None]:
    """Say what it means when TensorFlow loses another worker."""
    errors = import_tensorflow().errors
    try:
        yield
    except errors.OpError as error:
        if place.workers == 1:
            raise
        raise BuildError(
            f"another of the {place.workers} workers is gone ({type(error).__name__})",
            hint="start all of them again with --resume RUN",
        ) from error
