"""A run's folder: whole files only, damage and occupied places reported as usage errors."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tinyml.errors import UsageError
from tinyml.files import replacing, write_file
from tinyml.training.runs import Run, TrainState, check_free

ROWS = ({"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with a manifest alone."""
    path = tmp_path / "run"
    write_file(path / "manifest.json", '{"status": "running"}')
    return Run.open(path)


def test_state_comes_back_as_it_was(run: Run) -> None:
    arrays = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.zeros((0, 2), np.float32))
    run.save_state(TrainState(2, ROWS, 1, arrays))
    state = run.load_state()
    assert state is not None
    assert (state.epoch, state.best_epoch, state.history) == (2, 1, ROWS)
    for saved, loaded in zip(arrays, state.variables, strict=True):
        assert saved.dtype == loaded.dtype
        np.testing.assert_array_equal(saved, loaded)


def test_no_state_before_the_first_epoch(run: Run) -> None:
    assert run.load_state() is None


@pytest.mark.parametrize("keep", [0, 10, 200, 400])
def test_cut_state_is_a_usage_error(run: Run, keep: int) -> None:
    run.save_state(TrainState(1, ROWS[:1], 1, (np.arange(100.0),)))
    path = run.path / "last.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageError, match="cannot resume"):
        run.load_state()


def test_history_as_csv_and_json(run: Run) -> None:
    run.save_history(ROWS, {"accuracy": 0.75})
    with (run.path / "metrics.csv").open() as file:
        assert [row["train_loss"] for row in csv.DictReader(file)] == ["0.5", "0.25"]
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics == {"history": list(ROWS), "test": {"accuracy": 0.75}}


def test_update_keeps_other_entries(run: Run) -> None:
    run.update(seed=4)
    run.update(status="complete")
    assert run.manifest == {"status": "complete", "seed": 4}


def test_folder_without_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        Run.open(tmp_path)


def test_damaged_manifest_is_a_usage_error(run: Run) -> None:
    (run.path / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match="cannot read"):
        _ = run.manifest


def test_occupied_folder_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="not empty") as caught:
        check_free(run.path)
    assert "--resume" in (caught.value.hint or "")


def test_place_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        check_free(tmp_path / "file" / "run")


def test_free_place_stays_untouched(tmp_path: Path) -> None:
    check_free(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write_file(path, b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_below_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        write_file(tmp_path / "file" / "x", "content")
