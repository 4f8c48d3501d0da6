"""A run's folder: everything needed to say where a model came from, and to go on after an interruption.

    manifest.json            what was asked: model, data, options, seed, versions; and the status
    labels.json              class names, in the order of the outputs
    frontend.json            how raw input becomes int8 codes
    metrics.csv              one row an epoch
    metrics.json             the same rows, and the scores on the test split
    confusion.json, .png     the confusion matrix on the test split
    logs/                    the same for TensorBoard
    best.keras               the model of the best epoch, by the validation split
    last.npz                 the whole state after the last epoch: weights, optimiser, best so far

Every file is replaced as a whole, so that an interruption leaves a folder that can be read and resumed.
"""

from __future__ import annotations

import csv
import io
import json
import platform
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import tinyml
from tinyml.errors import UsageError
from tinyml.files import replacing, unwritable, write_file

RUNNING = "running"
INTERRUPTED = "interrupted"
COMPLETE = "complete"

_STATE = "state.json"
Row = dict[str, float]


@dataclass(frozen=True)
class TrainState:
    """What ``last.npz`` holds: every variable in order, and the bookkeeping of the epochs done."""

    epoch: int
    history: tuple[Row, ...]
    best_epoch: int
    variables: tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class Run:
    """A run's folder."""

    path: Path

    @classmethod
    def create(cls, path: Path, manifest: Mapping[str, Any]) -> Run:
        """Make the folder and write its manifest.

        Raises:
            UsageError: the folder holds files already, or cannot be written.
        """
        check_free(path)
        run = cls(path)
        run.write_json("manifest.json", {"status": RUNNING, "versions": versions(), **manifest})
        return run

    @classmethod
    def open(cls, path: Path) -> Run:
        """An existing run.

        Raises:
            UsageError: there is no run at ``path``.
        """
        if not (path / "manifest.json").is_file():
            raise UsageError(
                f"{path} is no run folder: it has no manifest.json", hint="tinyml train … --output makes one"
            )
        return cls(path)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it stands."""
        return self.read_json("manifest.json")

    @property
    def best(self) -> Path:
        """The best model so far."""
        return self.path / "best.keras"

    def update(self, **changes: Any) -> None:
        """Change entries of the manifest."""
        self.write_json("manifest.json", {**self.manifest, **changes})

    def read_json(self, name: str) -> dict[str, Any]:
        """The object in one of the run's JSON files.

        Raises:
            UsageError: the file is missing or damaged.
        """
        try:
            value = json.loads((self.path / name).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"cannot read {self.path / name}: {error}", hint="train again into a new folder"
            ) from error
        if not isinstance(value, dict):
            raise UsageError(f"{self.path / name} holds no JSON object", hint="train again into a new folder")
        return value

    def write_json(self, name: str, value: Any) -> None:
        """Write one of the run's JSON files."""
        write_file(self.path / name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def save_history(self, history: Sequence[Row], test: Mapping[str, Any] | None = None) -> None:
        """Write ``metrics.csv`` and ``metrics.json``."""
        table = io.StringIO()
        if history:
            names = list(dict.fromkeys(name for row in history for name in row))
            writer = csv.DictWriter(table, fieldnames=names, lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in history)
        write_file(self.path / "metrics.csv", table.getvalue())
        self.write_json("metrics.json", {"history": list(history)} | ({} if test is None else {"test": dict(test)}))

    def save_best(self, model: Any) -> None:
        """Write ``best.keras``."""
        with replacing(self.best) as temporary:
            model.save(temporary)

    def save_state(self, state: TrainState) -> None:
        """Write ``last.npz``."""
        head = {"epoch": state.epoch, "history": list(state.history), "best_epoch": state.best_epoch}
        with replacing(self.path / "last.npz") as temporary, zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(_STATE, json.dumps(head))
            for index, array in enumerate(state.variables):
                with archive.open(f"{index:05d}.npy", "w") as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    def load_state(self) -> TrainState | None:
        """The state in ``last.npz``, or None where no epoch was finished.

        Raises:
            UsageError: the file is damaged.
        """
        path = self.path / "last.npz"
        if not path.is_file():
            return None
        try:
            with zipfile.ZipFile(path) as archive:
                head = json.loads(archive.read(_STATE))
                names = sorted(name for name in archive.namelist() if name.endswith(".npy"))
                arrays = []
                for name in names:
                    with archive.open(name) as member:
                        arrays.append(np.lib.format.read_array(member, allow_pickle=False))
            return TrainState(int(head["epoch"]), tuple(head["history"]), int(head["best_epoch"]), tuple(arrays))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise UsageError(f"cannot resume from {path}: {error}", hint="train again into a new folder") from error


def data_of_run(name: str) -> Path | None:
    """The data set's folder that the run in the folder ``name`` was trained on; None where it is none or tells none."""
    path = Path(name)
    if not (path / "manifest.json").is_file():
        return None
    told = Run.open(path).manifest.get("data")
    folder = told.get("folder") if isinstance(told, Mapping) else None
    return None if folder is None else Path(str(folder))


def check_free(path: Path) -> None:
    """Check, before long work, that a run can be made at ``path``.

    Raises:
        UsageError: the folder holds files already, or cannot be written.
    """
    try:
        taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
    except OSError as error:
        raise unwritable(path, error) from error
    if taken:
        raise UsageError(
            f"{path} is there already and not empty",
            hint=f"go on with it by --resume {path}, or choose another folder with --output",
        )
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def versions() -> dict[str, str]:
    """The versions that a run's result depends on."""
    import keras
    import tensorflow

    return {
        "tinyml": tinyml.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        "tensorflow": tensorflow.__version__,
    }
