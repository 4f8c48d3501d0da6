"""Teachers of sound: their own front-ends, their words matched with the student's, their answers learnt from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.interruptions import InterruptAt
from tests.support.shared import require_shared
from tests.unit.data import makers
from tinyml.compression.distill import DistillOptions, check_distill, distill_options
from tinyml.compression.teacher import Teacher
from tinyml.errors import UsageError
from tinyml.features import default_config, frontend
from tinyml.features.mfcc import MfccConfig, mfcc_values
from tinyml.training.generations import teacher_entry
from tinyml.training.sound_teacher import MLPERF, MLPERF_LABELS, OWN, SoundTeacher, match_labels, sound_teacher

CLASSES = ("yes", "no", "_silence_", "_unknown_")
RATE_HZ = 16_000


def clips(count: int, seed: int = 1) -> np.ndarray:
    source = np.random.default_rng(seed)
    return (source.normal(size=(count, RATE_HZ)) * source.uniform(100, 5000, (count, 1))).astype(np.int16)


def fake(monkeypatch: pytest.MonkeyPatch, logits: Any, classes: int = 4, labels: tuple[str, ...] = ()) -> list[Any]:
    """A teacher that answers by ``logits(inputs)``; gives the list of the inputs that it has seen."""
    seen: list[Any] = []

    def predict(inputs: Any) -> tuple[Any, list[Any]]:
        seen.append(inputs)
        return logits(inputs), []

    made = Teacher("fake", (49, 10, 1), classes, predict, labels)
    monkeypatch.setattr("tinyml.training.sound_teacher.load_teacher", lambda source: made)
    return seen


def test_words_are_matched_whatever_their_case_and_the_rest_is_unknown() -> None:
    shares = match_labels(("Go", "No", "Yes", "Silence", "unknown", "off"), CLASSES)
    assert shares.argmax(axis=1).tolist() == [3, 1, 0, 2, 3, 3]
    np.testing.assert_array_equal(shares.sum(axis=1), 1)


def test_a_student_of_words_alone_passes_the_rest_over() -> None:
    shares = match_labels(("yes", "no", "_silence_", "_unknown_"), ("no", "yes"))
    np.testing.assert_array_equal(shares, [[0, 1], [1, 0], [0, 0], [0, 0]])
    with pytest.raises(UsageError, match="does not know 'up'"):
        match_labels(("yes", "no"), ("yes", "up"))


def test_answers_are_added_up_by_class_and_normalised() -> None:
    shares = match_labels(("yes", "go", "no", "off"), ("no", "yes"))
    said = np.log(np.asarray([[0.1, 0.5, 0.3, 0.1]], np.float32))
    teacher = SoundTeacher(
        Teacher("fake", (2,), 4, lambda inputs: (np.repeat(said, len(inputs), axis=0), [])),
        lambda heard: np.zeros((len(heard), 2), np.float32),
        shares,
    )
    np.testing.assert_allclose(np.exp(teacher.answers(clips(3))), [[0.75, 0.25]] * 3, rtol=1e-5)
    assert teacher.answers(clips(0)).shape == (0, 2)


def test_mlperf_hears_each_clip_by_its_own_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = fake(monkeypatch, lambda inputs: np.zeros((len(inputs), 12), np.float32), 12)
    loud = clips(2)
    teacher = sound_teacher(DistillOptions("fake", frontend=MLPERF), CLASSES, RATE_HZ, RATE_HZ)
    answers = teacher.answers(np.concatenate([loud, loud // 2 * 2 // 2]))
    wanted = mfcc_values(loud[0], MfccConfig(), float(np.abs(loud[0].astype(int)).max()))
    np.testing.assert_allclose(seen[0][0, :, :, 0], wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.exp(answers[0]), np.asarray([1, 1, 1, 9]) / 12, rtol=1e-5)
    assert len(MLPERF_LABELS) == 12


def test_a_teacher_hears_by_the_front_end_beside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = fake(monkeypatch, lambda inputs: inputs.reshape(len(inputs), -1)[:, :4])
    config = default_config()
    beside = {"labels": list(CLASSES), "frontend": {"kind": "audio", "clip_samples": RATE_HZ, **config.to_json()}}
    (tmp_path / "one.json").write_text(json.dumps(beside))
    options = DistillOptions(str(tmp_path / "one.tflite"), frontend=OWN)
    sound = clips(2)
    sound_teacher(options, CLASSES, RATE_HZ, RATE_HZ).answers(sound)
    np.testing.assert_allclose(seen[0][..., 0], frontend(config).process(sound) * config.input_scale)


def test_what_does_not_go_together_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, lambda inputs: inputs)
    cases = [
        (DistillOptions("fake", frontend="ears"), RATE_HZ, RATE_HZ, "no front-end 'ears'"),
        (DistillOptions("fake", frontend=MLPERF), RATE_HZ, RATE_HZ, "4 classes, and 12 labels"),
        (DistillOptions("fake", frontend=MLPERF), 8_000, 8_000, "the data has 8000 Hz"),
        (DistillOptions("fake", frontend=MLPERF), RATE_HZ, 8_000, "240 values a clip"),
        (DistillOptions(str(tmp_path / "none.tflite"), frontend=OWN), RATE_HZ, RATE_HZ, "no front-end of its own"),
    ]
    for options, rate_hz, samples, message in cases:
        with pytest.raises(UsageError, match=message):
            sound_teacher(options, CLASSES, rate_hz, samples)
    with pytest.raises(UsageError, match="needs a teacher"):
        check_distill(DistillOptions(frontend=MLPERF))
    with pytest.raises(UsageError, match="labels of a teacher"):
        check_distill(DistillOptions("fake", labels=("yes",)))


def test_the_manifest_has_front_end_and_labels() -> None:
    options = DistillOptions("none.tflite", frontend=MLPERF, labels=("a", "b"))
    assert distill_options(json.loads(json.dumps(teacher_entry(options)))) == options


def test_the_benchmarks_teacher_knows_the_words_of_a_data_set() -> None:
    teacher_file = require_shared("models/teachers/kws_ref_model_float32.tflite")
    from tinyml.data import open_dataset

    dataset = open_dataset(require_shared("data/speech_commands"))
    samples = [sample for sample in dataset.samples("validation") if not sample.name.startswith("_silence_")][::12]
    options = DistillOptions(str(teacher_file), frontend=MLPERF)
    teacher = sound_teacher(options, dataset.classes, dataset.sample_rate_hz, dataset.clip_samples)
    answers = teacher.answers(np.stack([sample.decode() for sample in samples]))
    right = answers.argmax(axis=1) == [sample.label for sample in samples]
    assert right.mean() > 0.8


MODEL = """
import keras

def build_model(classes=4):
    inputs = keras.Input((49, 10, 1))
    x = keras.layers.Conv2D(6, 5, strides=3, activation="relu", name="look")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="say")(x), name="tiny")
"""


@pytest.mark.train
def test_a_run_with_a_teacher_of_sound_resumes_to_the_same_weights(tmp_path: Path) -> None:
    from tinyml.training.fit import InterruptedRunError
    from tinyml.training.quantise_runs import quantise_run
    from tinyml.training.recipes import DataOptions
    from tinyml.training.runs import Run
    from tinyml.training.session import Request, resume, train

    data = makers.speech_commands(tmp_path / "speech", dict.fromkeys(("yes", "no", "bed", "cat"), (6, 2, 2)))
    (tmp_path / "model.py").write_text(MODEL)
    options = DataOptions(words=("yes", "no"))

    def request(name: str, distill: DistillOptions | None) -> Request:
        fit = {"epochs": 3, "ema": 0.9}
        return Request(str(tmp_path / "model.py"), data, tmp_path / name, options, fit, distill=distill)

    teacher = train(request("teacher", None)).run
    distill = DistillOptions(str(teacher.path), frontend=OWN)
    whole = train(request("whole", distill)).run
    with pytest.raises(InterruptedRunError):
        train(request("cut", distill), InterruptAt())
    assert Run.open(tmp_path / "cut").manifest["distill"]["frontend"] == OWN
    cut = resume(tmp_path / "cut").run
    one, two, alone = (run.load_state() for run in (whole, cut, teacher))
    assert one is not None and two is not None and alone is not None
    for left, right in zip(one.variables, two.variables, strict=True):
        np.testing.assert_array_equal(left, right)
    assert any(not np.array_equal(left, right) for left, right in zip(one.variables, alone.variables, strict=True))
    shutil.rmtree(teacher.path)
    assert quantise_run(cut.path)[1].is_file()
