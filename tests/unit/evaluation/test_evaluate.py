"""A model over a data set: classes, damaged samples, anomalies, streams; the pictures and the page; the verb."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_module, require_shared
from tests.support.tflite_builder import Builder
from tests.unit.data.makers import speech_commands, wav_bytes, write
from tinyml.cli import main
from tinyml.data import open_dataset
from tinyml.errors import UsageError
from tinyml.evaluation.plots import draw_all, write_plots
from tinyml.evaluation.results import Evaluation, StreamCurve, StreamPoint
from tinyml.evaluation.run import WINDOW_STRIDE, Model, evaluate, open_for
from tinyml.evaluation.stream_curve import stream_curve
from tinyml.features import default_config
from tinyml.report.evaluation import evaluation_page
from tinyml.sources import load_source
from tinyml.streaming.scene import Scene, Spoken
from tinyml.streaming.settings import DetectorSettings
from tinyml.streaming.tune import Scores

SIZE = 4
PIXELS = {"dark": 40, "light": 210}
IMAGE = {"kind": "image", "size": SIZE, "channels": 1}


def brightness_model(folder: Path, **manifest: Any) -> Path:
    """Says ``light`` of a picture that is brighter than half, ``dark`` otherwise."""
    builder = Builder()
    source = builder.input((1, SIZE, SIZE, 1), scale=1 / 255, zero_point=-128)
    weights = np.stack([np.full(SIZE * SIZE, -20), np.full(SIZE * SIZE, 20)]).astype(np.int8)
    threshold = round(0.5 * SIZE * SIZE * 20 * 255)
    bias = np.array([threshold, -threshold], np.int32)
    flat = builder.reshape(source, (1, SIZE * SIZE))
    path = folder / "brightness.tflite"
    path.write_bytes(builder.build([builder.softmax(builder.fully_connected(flat, weights, 0.01, bias))]))
    told = {"labels": ["dark", "light"], "frontend": IMAGE, "task": "images"} | manifest
    path.with_suffix(".json").write_text(json.dumps(told), encoding="utf-8")
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two test pictures of each class; one more that is dark though it lies with the light ones, and a damaged one."""
    from PIL import Image

    for name, level in PIXELS.items():
        for split, count in (("train", 2), ("val", 1), ("test", 2)):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for index in range(count):
                Image.new("L", (8, 8), level + index).save(tmp_path / "set" / split / name / f"{index}.png")
    place = tmp_path / "set" / "test"
    Image.new("L", (8, 8), 20).save(place / "light" / "wrong.png")
    (place / "dark" / "torn.png").write_bytes(b"\x89PNG")
    return tmp_path / "set"


def model_of(path: Path) -> Model:
    source = load_source(path)
    return Model(source.name, source.content, source.manifest)


def test_classes(tmp_path: Path, pictures: Path) -> None:
    model = model_of(brightness_model(tmp_path))
    result = evaluate(model, open_for(model, pictures), "test")
    assert (result.examples, result.value) == (5, 0.8)
    assert result.confusion.tolist() == [[2, 0], [1, 2]]
    assert [(one.precision, one.recall) for one in result.classes] == [(2 / 3, 1.0), (1.0, 2 / 3)]
    assert result.classes[0].f1 == pytest.approx(0.8)
    assert [item.name for item in result.skipped] == ["test/dark/torn.png"]
    assert evaluate(model, open_for(model, pictures), "all").examples == 11
    assert evaluate(model, open_for(model, pictures), "test", limit=2).examples == 2


def test_another_input_quantisation_is_met(tmp_path: Path, pictures: Path) -> None:
    path = brightness_model(tmp_path, frontend={**IMAGE, "input_scale": 0.5 / 255})
    model = model_of(path)
    said = evaluate(model, open_for(model, pictures), "test")
    assert said.confusion.tolist() == [[2, 0], [3, 0]], "pixels count half: nothing is brighter than half any more"


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"labels": []}, "has no labels beside it"),
        ({"labels": ["cat", "dog"]}, "the data set's classes are dark, light, the model's cat, dog"),
        ({"labels": ["dark", "light", "grey"]}, "gives 2 values, its manifest tells of 3"),
        ({"frontend": None}, "has no front-end beside it"),
        ({"frontend": {**IMAGE, "size": 5}}, "takes 16 values, its front-end gives 25"),
        ({"frontend": {"kind": "audio", **default_config().to_json()}}, "takes audio, the data set holds image"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, pictures: Path, manifest: dict[str, Any], message: str) -> None:
    model = model_of(brightness_model(tmp_path, **manifest))
    with pytest.raises(UsageError, match=message):
        evaluate(model, open_for(model, pictures), "test")


def test_the_verb(tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("matplotlib")
    arguments = ["evaluate", str(brightness_model(tmp_path)), "--data", str(pictures)]
    assert main([*arguments, "--json", "--plots", str(tmp_path / "plots"), "--html", str(tmp_path / "page.html")]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.8
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        f"{name}.{kind}" for name in ("classes", "confusion", "roc") for kind in ("png", "svg")
    ]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "top-1 accuracy 80.00 %" in page and page.count("<img ") == 3 and "http" not in page
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "1 damaged samples left out, first test/dark/torn.png" in said
    assert main([*arguments, "--minutes", "1", "--split", "all"]) == 2


def with_stream(result: Evaluation) -> Evaluation:
    points = tuple(StreamPoint(t, t - 0.3, 100 * (1 - t)) for t in (0.3, 0.6, 0.9))
    return replace(result, stream=StreamCurve(0.5, 40, points, points[1]))


def test_pictures_are_the_same_bytes_each_time(tmp_path: Path, pictures: Path) -> None:
    require_module("matplotlib")
    model = model_of(brightness_model(tmp_path))
    result = with_stream(evaluate(model, open_for(model, pictures), "test"))
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        drawn = draw_all(result, kind)
        assert list(drawn) == ["confusion", "classes", "roc", "stream"]
        assert all(content.startswith(start) for content in drawn.values()) and draw_all(result, kind) == drawn
    assert len(write_plots(result, tmp_path / "plots")) == 8
    assert evaluation_page(result).count("<tr><td>0.") == 3


def anomaly_model(folder: Path, frames: int) -> Model:
    """Reconstructs silence whatever it hears: the louder, the more anomalous."""
    config = default_config()
    elements = frames * config.features
    builder = Builder()
    source = builder.input((1, elements), scale=config.input_scale, zero_point=config.input_zero_point)
    small = builder.fully_connected(source, np.zeros((2, elements), np.int8), 0.01)
    back = builder.fully_connected(
        small, np.zeros((elements, 2), np.int8), 0.01, np.zeros(elements, np.int32),
        scale=config.input_scale, zero_point=config.input_zero_point,
    )  # fmt: skip
    manifest = {"labels": ["normal", "anomaly"], "task": "anomaly", "frontend": {"kind": "audio", **config.to_json()}}
    return Model("machine", builder.build([back]), manifest)


def test_anomalies(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for place, level in (("train/normal", 30), ("test/normal", 30), ("test/anomaly", 9_000)):
        for index in range(3):
            sound = rng.integers(-level, level, 16_000).astype(np.int16)
            write(tmp_path / f"{place}_id_{index}.wav", wav_bytes(sound))
    model = anomaly_model(tmp_path, frames=5)
    dataset = open_for(model, tmp_path)
    result = evaluate(model, dataset, "test")
    assert (result.task, result.examples, result.confusion.size) == ("anomaly", 6, 0)
    assert result.value in (0.0, 1.0), "loud and quiet recordings are told apart, whichever is further from zero"
    assert result.partial_auc is not None and 0.4 < result.partial_auc <= 1.0
    with pytest.raises(UsageError, match="0 of 1 recordings are anomalous"):
        evaluate(model, dataset, "validation")


def test_windows_are_those_of_training() -> None:
    from tinyml.training.recipes.anomaly import TEST_STRIDE

    assert WINDOW_STRIDE == TEST_STRIDE


def test_the_stream_curve_trades_misses_for_false_accepts() -> None:
    rng = np.random.default_rng(0)
    config = default_config()
    frames = np.arange(48, 6_000, 4)
    times = (frames * config.hop_samples + config.window_samples) / config.sample_rate_hz
    spoken = tuple(Spoken("yes", start, start + 16_000) for start in range(32_000, 1_800_000, 80_000))
    said = np.zeros(len(frames))
    for word in spoken:
        inside = (times > word.start / 16_000 + 0.4) & (times < word.end / 16_000 + 0.4)
        said[inside] = rng.uniform(0.35, 1.0)
    for word in spoken[::2]:
        between = (times > word.end / 16_000 + 2.2) & (times < word.end / 16_000 + 3.0)
        said[between] = rng.uniform(0.35, 0.8)
    codes = np.stack([said, 1 - said], axis=1) * 255 - 128
    scores = Scores(frames, codes.astype(np.int8), ("yes", "_unknown_"), 80.0)
    scene = Scene(np.zeros(1_920_000, np.int16), 16_000, spoken, ())
    curve = stream_curve(scores, scene, DetectorSettings({"yes": 0.6}, {"yes": 500}, 80, 240), config)
    misses = [point.miss_rate for point in curve.points]
    assert misses == sorted(misses) and misses[0] < 0.2 and misses[-1] == 1.0
    assert curve.points[0].false_accepts_per_hour > curve.points[-1].false_accepts_per_hour == 0
    assert curve.chosen == next(point for point in curve.points if point.threshold == 0.6)


@pytest.mark.slow
@pytest.mark.shared
def test_the_shipped_model_scores_what_its_manifest_says() -> None:
    source = load_source("kws_ds_cnn_s")
    model = Model(source.name, source.content, source.manifest)
    dataset = open_dataset(require_shared("data/speech_commands"))
    assert set(dataset.classes) == set(model.labels)
    result = evaluate(model, open_for(model, require_shared("data/speech_commands")), "test")
    assert result.examples == source.manifest["test_examples"]
    assert result.value == pytest.approx(source.manifest["accuracy"]["int8"])
    assert result.auc is not None and result.auc > 0.98


def test_a_model_of_words_alone_meets_words_alone(tmp_path: Path) -> None:
    clips = dict.fromkeys(("yes", "no", "bed"), (4, 2, 2))
    folder = speech_commands(tmp_path / "speech", clips)
    alone = open_for(Model("alone", b"", {"labels": ["no", "yes"], "seed": 1}), folder)
    assert alone.classes == ("no", "yes")
    assert [sample.label for sample in alone.samples("test")] == [0, 0, 1, 1]
    whole = open_for(Model("whole", b"", {"labels": ["yes", "no", "_silence_", "_unknown_"], "seed": 1}), folder)
    assert whole.classes == ("yes", "no", "_silence_", "_unknown_")
    assert [sample.label for sample in whole.samples("test")].count(3) == 2
