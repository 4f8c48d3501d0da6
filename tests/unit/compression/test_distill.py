"""Distillation: the loss by hand, teachers of every format, and a student that becomes like its teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_shared
from tinyml.compression.distill import Distiller, DistillOptions, blurred, check_distill, distill_options
from tinyml.compression.teacher import Teacher, load_teacher
from tinyml.errors import UnsupportedError, UsageError

pytestmark = pytest.mark.train

RANGE = (-1.0, 127 / 128)


def network(classes: int = 3, activation: str | None = "softmax", seed: int = 1) -> Any:
    from tinyml.tflite.quiet import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4, 4, 1), name="picture")
    x = keras.layers.Conv2D(5, 3, activation="relu", name="look")(inputs)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation=activation, name="say")(x), name="net")


def softmax(logits: np.ndarray) -> np.ndarray:
    high = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = high / high.sum(axis=1, keepdims=True)
    return shares


def fixed_teacher(logits: np.ndarray, features: list[np.ndarray]) -> Teacher:
    shapes = tuple(feature.shape[1:] for feature in features)
    return Teacher("fixed", (4, 4, 1), 3, lambda inputs: (logits, features), (), shapes)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_loss_by_hand(activation: str | None) -> None:
    source = np.random.default_rng(1)
    theirs, mine = source.normal(size=(6, 3)), source.normal(size=(6, 3))
    feature, student_feature = source.normal(size=(6, 4)), source.normal(size=(6, 4))
    labels = np.eye(3, dtype=np.float32)[source.integers(0, 3, 6)]
    options = DistillOptions("fixed", temperature=3.0, alpha=0.6, features=(("look", "x"),), beta=0.5)
    distiller = Distiller(fixed_teacher(theirs, [feature]), options, network(activation=activation), RANGE)
    targets = distiller.targets(np.zeros((6, 4, 4, 1), np.float32), labels)
    assert targets.shape == (6, 10)
    answers = softmax(mine) if activation else mine
    outputs = np.concatenate([answers, student_feature], axis=1).astype(np.float32)

    smoothed = labels * 0.9 + 0.1 / 3
    hard = -np.sum(smoothed * np.log(softmax(mine)), axis=1)
    p, q = softmax(theirs / 3), softmax(mine / 3)
    soft = 9 * np.sum(p * np.log(p / q), axis=1)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (student_feature, feature)]
    patient = np.sum((unit[0] - unit[1]) ** 2, axis=1)
    expected = 0.4 * hard + 0.6 * soft + 0.5 * patient
    np.testing.assert_allclose(np.asarray(distiller.loss(0.1)(targets, outputs)), expected, rtol=1e-4)
    right = labels.argmax(axis=1) == mine.argmax(axis=1)
    np.testing.assert_array_equal(np.asarray(distiller.accuracy(targets, outputs)), right)


def test_student_becomes_like_its_teacher() -> None:
    from tinyml.tflite.quiet import import_keras

    keras = import_keras()
    inputs = np.random.default_rng(2).uniform(-1, 1, (64, 4, 4, 1)).astype(np.float32)
    model, student = network(seed=7), network(seed=8)
    model.set_weights([3 * weight for weight in model.get_weights()])
    taught = model(inputs, training=False)

    def predict(seen: np.ndarray) -> Any:
        return np.log(np.asarray(model(seen))), [np.asarray(model.get_layer("look")(seen)).mean((1, 2))]

    options = DistillOptions("other", alpha=1.0, temperature=2.0, features=(("look", "look"),))
    distiller = Distiller(Teacher("other", (4, 4, 1), 3, predict, (), ((5,),)), options, student, RANGE)
    network_to_train = distiller.extend(student)
    network_to_train.compile(keras.optimizers.Adam(1e-2), distiller.loss(0.0))
    before = np.mean(np.abs(student(inputs) - taught))
    targets = distiller.targets(inputs, np.zeros((64, 3), np.float32))
    network_to_train.fit(inputs, targets, epochs=60, batch_size=32, verbose=0)
    assert np.mean(np.abs(student(inputs) - taught)) < before / 2


def test_maps_are_compared_place_by_place() -> None:
    source = np.random.default_rng(5)
    maps = source.normal(size=(6, 2, 2, 3))
    options = DistillOptions("fixed", alpha=1.0, features=(("look", "x"),), beta=2.0, maps=True)
    logits = source.normal(size=(6, 3))
    student = network()
    distiller = Distiller(fixed_teacher(logits, [maps]), options, student, RANGE)
    assert distiller.extend(student).output_shape == (None, 3 + 12)
    targets = distiller.targets(np.zeros((6, 4, 4, 1), np.float32), np.zeros((6, 3), np.float32))
    shuffled = np.concatenate([softmax(logits), maps[:, ::-1].reshape(6, 12)], axis=1).astype(np.float32)
    same = np.concatenate([softmax(logits), maps.reshape(6, 12)], axis=1).astype(np.float32)
    np.testing.assert_allclose(np.asarray(distiller.loss(0.0)(targets, same)), 0.0, atol=1e-5)
    assert np.asarray(distiller.loss(0.0)(targets, shuffled)).min() > 0.1, "means over the map would be the same"
    with pytest.raises(UsageError, match=r"\(2, 2\), the teacher's \(4, 4\)"):
        Distiller(fixed_teacher(logits, [np.zeros((6, 4, 4, 3))]), options, student, RANGE).extend(student)


def test_answers_of_teachers_are_averaged() -> None:
    source = np.random.default_rng(6)
    one, two = source.normal(size=(2, 5, 3))
    labels, pictures = np.eye(3, dtype=np.float32)[source.integers(0, 3, 5)], np.zeros((5, 4, 4, 1), np.float32)
    options = DistillOptions("fixed", others=("another",))
    both = Distiller(fixed_teacher(one, []), options, network(), RANGE, [fixed_teacher(two + 7, [])])
    answers = both.targets(pictures, labels)[:, 3:]
    np.testing.assert_allclose(softmax(answers), softmax((one + two) / 2), rtol=1e-5)
    larger = Teacher("larger", (8, 8, 1), 3, lambda inputs: (one, []))
    with pytest.raises(UsageError, match="larger takes inputs of"):
        Distiller(fixed_teacher(one, []), options, network(), RANGE, [larger])
    assert Distiller(larger, DistillOptions("x"), network(), RANGE, resized=True).teacher is larger


def test_further_teachers_see_pictures_in_their_own_size() -> None:
    seen: list[np.ndarray] = []

    def predict(inputs: np.ndarray) -> Any:
        seen.append(inputs)
        return np.zeros((len(inputs), 3)), []

    options = DistillOptions("fixed", others=("smaller", "larger"))
    others = [Teacher("smaller", (2, 2, 1), 3, predict), Teacher("larger", (8, 8, 1), 3, predict)]
    distiller = Distiller(fixed_teacher(np.zeros((5, 3)), []), options, network(), RANGE, others, resized=True)
    ramp = np.tile(np.linspace(-1, 1, 4, dtype=np.float32)[None, None, :, None], (5, 4, 1, 1))
    distiller.targets(ramp, np.zeros((5, 3), np.float32))
    assert [pictures.shape for pictures in seen] == [(5, 2, 2, 1), (5, 8, 8, 1)]
    for pictures in seen:
        assert (np.diff(pictures, axis=2) >= 0).all() and abs(pictures.mean()) < 1e-6


def test_teacher_sees_smoothed_pictures_as_a_gaussian_has_them() -> None:
    from scipy.ndimage import gaussian_filter1d

    pictures = np.random.default_rng(7).random((3, 6, 7, 2)).astype(np.float32)
    rows = gaussian_filter1d(pictures, 0.4, axis=1, mode="nearest", radius=1)
    expected = gaussian_filter1d(rows, 0.4, axis=2, mode="nearest", radius=1)
    np.testing.assert_allclose(blurred(pictures, 0.4), expected, atol=1e-6)


def test_teacher_sees_its_own_range() -> None:
    seen: list[np.ndarray] = []

    def predict(inputs: np.ndarray) -> Any:
        seen.append(inputs)
        return np.zeros((len(inputs), 3)), []

    options = DistillOptions("x", input_range=(0.0, 255.0))
    distiller = Distiller(Teacher("x", (16,), 3, predict), options, network(), RANGE)
    codes = np.arange(-128, 128).reshape(16, 4, 4, 1)
    distiller.targets((codes / 128).astype(np.float32), np.zeros((16, 3), np.float32))
    assert seen[0].shape == (16, 16)
    np.testing.assert_allclose(seen[0].ravel(), np.arange(256), atol=1e-3)


def test_keras_and_tflite_teachers_agree(tmp_path: Path) -> None:
    from tinyml.tflite.convert import convert

    model = network()
    inputs = np.random.default_rng(2).uniform(-1, 1, (20, 4, 4, 1)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    (tmp_path / "model.tflite").write_bytes(convert(model, list(inputs)))
    keras_teacher = load_teacher(str(tmp_path / "model.keras"), ["look"])
    logits, features = keras_teacher.predict(inputs)
    np.testing.assert_allclose(softmax(logits), model(inputs), atol=1e-6)
    np.testing.assert_allclose(features[0], np.asarray(model.get_layer("look")(inputs)).mean((1, 2)), atol=1e-6)
    assert keras_teacher.feature_shapes == ((5,),)
    int8_logits, none = load_teacher(str(tmp_path / "model.tflite")).predict(inputs)
    assert none == []
    np.testing.assert_allclose(softmax(int8_logits), softmax(logits), atol=0.03)


def test_trained_models_teach_by_name() -> None:
    teacher = load_teacher("kws_ds_cnn_s")
    logits, _ = teacher.predict(np.zeros((2, *teacher.input_shape), np.float32))
    assert logits.shape == (2, teacher.classes) == (2, len(teacher.labels))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("vww_96.h5", (96, 96, 3), 2),
        ("vww_96_float.tflite", (96, 96, 3), 2),
        ("pretrainedResnet.h5", (32, 32, 3), 10),
        ("kws_ref_model_float32.tflite", (49, 10, 1), 12),
    ],
)
def test_mlperf_float_models_load(name: str, shape: tuple[int, ...], classes: int) -> None:
    teacher = load_teacher(str(require_shared(f"models/teachers/{name}")))
    assert int(np.prod(teacher.input_shape)) == int(np.prod(shape))
    assert teacher.classes == classes
    inputs = np.random.default_rng(1).uniform(0, 1, (2, *teacher.input_shape)).astype(np.float32)
    np.testing.assert_allclose(softmax(teacher.predict(inputs)[0]).sum(axis=1), 1, atol=1e-5)


def test_wrong_teachers_are_named(tmp_path: Path) -> None:
    network().save(tmp_path / "model.keras")
    (tmp_path / "broken.h5").write_bytes(b"nothing")
    (tmp_path / "broken.tflite").write_bytes(b"nothing at all")
    with pytest.raises(UsageError, match="no teacher"):
        load_teacher(str(tmp_path / "none.keras"))
    with pytest.raises(UsageError, match="no layer 'nose'"):
        load_teacher(str(tmp_path / "model.keras"), ["nose"])
    for name in ("broken.h5", "broken.tflite"):
        with pytest.raises(UnsupportedError, match="broken"):
            load_teacher(str(tmp_path / name))
    teacher = load_teacher(str(tmp_path / "model.keras"))
    with pytest.raises(UsageError, match="3 classes, the student 4"):
        Distiller(teacher, DistillOptions("x"), network(4), RANGE)
    with pytest.raises(UsageError, match="the student has no layer"):
        Distiller(teacher, DistillOptions("x", features=(("nose", "look"),)), network(), RANGE)


@pytest.mark.parametrize(
    "wrong",
    [
        DistillOptions("x", temperature=0),
        DistillOptions("x", alpha=1.5),
        DistillOptions("x", beta=-1),
        DistillOptions("x", generations=0),
        DistillOptions(features=(("a", "b"),)),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: DistillOptions) -> None:
    with pytest.raises(UsageError):
        check_distill(wrong)


def test_options_survive_a_manifest() -> None:
    import dataclasses
    import json

    options = DistillOptions("x", features=(("a", "b"),), input_range=(0.0, 1.0), generations=3)
    assert distill_options(json.loads(json.dumps(dataclasses.asdict(options)))) == options
