"""Training with a teacher and with oneself as teacher, through a session: recorded, resumable, the best one kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.interruptions import InterruptAt
from tests.unit.training.conftest import build_network
from tinyml.compression.distill import DistillOptions
from tinyml.errors import UsageError
from tinyml.tflite.convert import load_keras
from tinyml.training.evaluate import evaluate_float
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions, InterruptedRunError, fit, seed_everything
from tinyml.training.generations import fit_generations, teacher_entry
from tinyml.training.runs import Run

pytestmark = pytest.mark.train

OPTIONS = FitOptions(epochs=3, batch_size=16, learning_rate=1e-2, patience=6, seed=5)


def new_model(seed: int) -> Any:
    seed_everything(seed)
    return build_network()


@pytest.fixture
def teacher(data: TrainingData, tmp_path: Path) -> Path:
    run = Run.create(tmp_path / "teacher", {})
    fit(new_model(9), data, OPTIONS, run)
    run.write_json("labels.json", {"labels": list(data.labels)})
    return run.path


def train(folder: Path, data: TrainingData, distill: DistillOptions, watch: Any = None) -> Run:
    known = (folder / "manifest.json").is_file()
    run = Run.open(folder) if known else Run.create(folder, {"distill": teacher_entry(distill)})
    fit_generations(run, new_model(OPTIONS.seed), data, OPTIONS, new_model, watch)
    return run


@pytest.mark.parametrize("cut_in", [1, 2])
def test_interrupted_distillation_resumes_to_the_same_weights(
    data: TrainingData, tmp_path: Path, teacher: Path, cut_in: int
) -> None:
    options = DistillOptions(str(teacher), features=(("stem_relu", "stem_relu"),), generations=2)
    whole = train(tmp_path / "whole", data, options)
    with pytest.raises(InterruptedRunError):
        train(tmp_path / "cut", data, options, InterruptAt(phase=cut_in))
    assert Run.open(tmp_path / "cut").manifest["status"] == "interrupted"
    cut = train(tmp_path / "cut", data, options)
    for folder in (".", "generation-2"):
        one, two = (Run.open(run.path / folder).load_state() for run in (whole, cut))
        assert one is not None
        assert two is not None
        for left, right in zip(one.variables, two.variables, strict=True):
            np.testing.assert_array_equal(left, right)


def test_best_generation_is_kept(data: TrainingData, tmp_path: Path) -> None:
    run = train(tmp_path / "run", data, DistillOptions(generations=3))
    folders = [run.path / "generation-1.keras", *(run.path / f"generation-{n}" / "best.keras" for n in (2, 3))]
    scores = [evaluate_float(load_keras(path), data, data.validation) for path in folders]
    kept = evaluate_float(load_keras(run.best), data, data.validation)
    best = max(scores, key=lambda found: (found.value, -found.loss))
    assert (kept.value, kept.loss) == (best.value, best.loss)
    assert scores[run.manifest["generation"] - 1] == best
    assert "teacher" in run.manifest["distill"]


def test_teacher_makes_a_difference_and_is_recorded(data: TrainingData, tmp_path: Path, teacher: Path) -> None:
    with_it = train(tmp_path / "with", data, DistillOptions(str(teacher), alpha=0.9))
    without = Run.create(tmp_path / "without", {})
    fit(new_model(OPTIONS.seed), data, OPTIONS, without)
    one, two = with_it.load_state(), without.load_state()
    assert one is not None
    assert two is not None
    assert any(not np.array_equal(a, b) for a, b in zip(one.variables, two.variables, strict=True))
    assert len(with_it.manifest["distill"]["teacher_sha256"]) == 64


def test_changed_or_foreign_teacher_is_refused(data: TrainingData, tmp_path: Path, teacher: Path) -> None:
    run = Run.create(tmp_path / "run", {"distill": teacher_entry(DistillOptions(str(teacher)))})
    build_network().save(teacher / "best.keras")
    with pytest.raises(UsageError, match="has changed"):
        fit_generations(run, new_model(5), data, OPTIONS, new_model)
    Run.open(teacher).write_json("labels.json", {"labels": ["up", "down", "back"]})
    other = Run.create(tmp_path / "other", {"distill": teacher_entry(DistillOptions(str(teacher)))})
    with pytest.raises(UsageError, match="knows up, down, back"):
        fit_generations(other, new_model(5), data, OPTIONS, new_model)
