"""Scenes with words at known places, and what counts as heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyml.data.base import AUDIO, TEST, TRAIN, VALIDATION, CorruptSampleError, Dataset, Sample
from tinyml.errors import UsageError
from tinyml.features import FrontendConfig
from tinyml.pipeline.stream import write_detector
from tinyml.report.stream import StreamResult, stream_report
from tinyml.streaming.detector import Detection
from tinyml.streaming.listen import Schedule, detect, listen
from tinyml.streaming.scene import Scene, Spoken, make_scene
from tinyml.streaming.score import Mistaken, StreamScore, WordScore, score
from tinyml.streaming.settings import DetectorSettings, detector_table
from tinyml.streaming.tune import Scores, evaluate, tune

RATE = 16_000
CLASSES = ("yes", "no", "_silence_", "_unknown_")


def tone(label: int) -> NDArray[np.int16]:
    return (8_000 * np.sin(2 * np.pi * 300 * (label + 1) * np.arange(RATE) / RATE)).astype(np.int16)


def damaged() -> NDArray[np.int16]:
    raise CorruptSampleError("is damaged")


def dataset(*, words: bool = True) -> Dataset:
    labels = (0, 1, 2, 3) if words else (2, 3)
    samples = tuple(Sample(f"{CLASSES[label]}.wav", label, lambda label=label: tone(label)) for label in labels)
    samples += (Sample("bad.wav", 0, damaged),) if words else ()
    return Dataset("test", AUDIO, CLASSES, dict.fromkeys((TRAIN, VALIDATION, TEST), samples), (), RATE, RATE)


def test_further_words_are_said_between() -> None:
    further = Sample("further/1.wav", 3, lambda: np.full(RATE, 20_000, np.int16))
    plain, more = (make_scene(dataset(), TEST, 120.0, seed=3, others_too=others) for others in ((), (further,)))
    assert plain.sound.max() < 15_000 < more.sound.max()
    assert len(more.spoken) > 5
    assert 0 < (more.sound > 15_000).sum() < len(more.others) * RATE


def test_a_scene_has_its_words_where_it_says() -> None:
    scene = make_scene(dataset(), TEST, 120.0, seed=3)
    assert len(scene.sound) == 120 * RATE and scene.sound.dtype == np.int16
    assert len(scene.spoken) > 8 and len(scene.others) > 5
    for said in scene.spoken:
        heard = scene.sound[said.start : said.end].astype(np.float64)
        assert np.abs(heard - tone(CLASSES.index(said.word))).max() < 2_000
    ends = [0, *(said.end for said in scene.spoken)]
    assert all(said.start >= end + RATE // 2 for said, end in zip(scene.spoken, ends, strict=False))


def test_every_clip_is_said_before_one_is_said_again() -> None:
    further = tuple(Sample(f"w{index}/1.wav", 3, lambda: tone(3)) for index in range(7))
    scene = make_scene(dataset(), TEST, 400.0, seed=3, others_too=further)
    said_further = [one.word for one in scene.others if one.word.startswith("w")]
    assert len(said_further) > 14
    turns = [set(said_further[at : at + 7]) for at in range(0, len(said_further) - 6, 7)]
    assert turns == [{f"w{index}" for index in range(7)}] * len(turns)


def test_the_seed_decides() -> None:
    first, again, other = (make_scene(dataset(), TEST, 20.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.sound, again.sound) and first.spoken == again.spoken
    assert not np.array_equal(first.sound, other.sound)


def test_a_split_without_keywords_is_refused() -> None:
    with pytest.raises(UsageError, match="the test split holds no keywords"):
        make_scene(dataset(words=False), TEST, 10.0)


def test_a_split_of_damaged_clips_is_refused() -> None:
    whole = dataset()
    broken = dict.fromkeys(whole.splits, tuple(replace(one, decode=damaged) for one in whole.samples(TEST)[:2]))
    with pytest.raises(UsageError, match=r"no clip of the test split can be read: (yes|no)\.wav is damaged"):
        make_scene(replace(whole, splits=broken), TEST, 60.0)


def said(word: str, second: float) -> Spoken:
    return Spoken(word, round(second * RATE), round((second + 1) * RATE))


def heard(word: str, second: float) -> Detection:
    return Detection(word, 900, 0, round(1000 * second))


def test_hits_misses_and_false_accepts() -> None:
    spoken = [said("yes", 1), said("no", 5), said("yes", 9)]
    detections = [heard("yes", 1.6), heard("yes", 1.9), heard("no", 4.9), heard("no", 6.9), heard("yes", 11.5)]
    result = score(detections, spoken, ("yes", "no"), RATE, 0.5)
    assert {name: (w.spoken, w.missed, w.false_accepts) for name, w in result.words.items()} == {
        "yes": (2, 1, 2),
        "no": (1, 0, 1),
    }
    assert (result.spoken, result.missed, result.false_accepts, result.false_accepts_per_hour) == (3, 1, 3, 6.0)
    assert result.latency_ms == 750.0 and result.miss_rate == pytest.approx(1 / 3)


def test_false_accepts_are_told_by_what_was_said() -> None:
    spoken, others = [said("yes", 1), said("no", 5)], [said("seven", 9), said("seven", 13)]
    detections = [heard(*one) for one in (("no", 1.5), ("yes", 1.6), ("no", 9.5), ("no", 13.5), ("yes", 30.0))]
    result = score(detections, spoken, ("yes", "no"), RATE, 0.5, others)
    assert result.mistaken == (
        Mistaken("seven", "no", False, 2),
        Mistaken("yes", "no", True, 1),
        Mistaken("", "yes", False, 1),
    )
    assert sum(one.times for one in result.mistaken) == result.false_accepts == 4


def test_the_report_names_what_was_mistaken() -> None:
    mistaken = (Mistaken("seven", "no", False, 14), Mistaken("yes", "yes", True, 2), Mistaken("", "yes", False, 1))
    result = StreamScore(1.0, {"yes": WordScore(9, 1, 3), "no": WordScore(9, 0, 14)}, 300.0, mistaken)
    settings = DetectorSettings({"yes": 0.5, "no": 0.5}, {})
    said_so = stream_report(StreamResult("m", "test", "python", 80.0, 40, 0, settings, result))[-1]
    assert str(said_so) == (
        "false accepts: 14 at other words, 2 at keywords, 1 at neither; most often seven as no 14x, yes as yes 2x"
    )


def test_nothing_heard_has_no_latency() -> None:
    result = score([], [said("yes", 1)], ("yes",), RATE, 1.0)
    assert result.latency_ms is None and result.miss_rate == 1.0


def test_tuning_trades_false_accepts_for_misses() -> None:
    """``yes`` is scored 0.9 where it is said and 0.6 where it is not: a threshold between the two is the answer."""
    scene = make_scene(dataset(), TEST, 300.0, seed=1)
    frames = np.arange(48, 300 * 50 - 1, 4)
    scores = np.full((len(frames), len(CLASSES)), -128, np.int8)
    ends = (frames * 320 + 480) / RATE
    for index, label in enumerate(("yes", "no")):
        for one in scene.spoken:
            if one.word == label:
                scores[(ends > one.end / RATE - 0.3) & (ends < one.end / RATE + 0.5), index] = round(0.9 * 256) - 128
    scores[::200, 0] = round(0.6 * 256) - 128
    made = Scores(frames, scores, CLASSES, 80.0)
    loose = DetectorSettings({"yes": 0.55, "no": 0.55}, {"yes": 500, "no": 500}, average_ms=80)
    config = FrontendConfig()
    before = evaluate(made, scene, loose, config)
    assert before.missed == 0 and before.false_accepts > 10
    tuned = tune(made, scene, loose, config, 0.0, averages_ms=(80,))
    after = evaluate(made, scene, tuned, config)
    assert after.missed == 0 and after.false_accepts == 0
    assert 0.6 < tuned.thresholds["yes"] <= 0.9


def test_a_words_threshold_is_not_set_by_one_clip() -> None:
    """Both words are said 50 times, ever more clearly; one other clip, said five times, always sounds like ``yes``."""
    spoken = tuple(said(("yes", "no")[index % 2], 4 * index) for index in range(100))
    other = tuple(said("yeast", 4 * index + 2) for index in range(0, 100, 20))
    scene = Scene(np.zeros(400 * RATE, np.int16), RATE, spoken, other)
    frames = np.arange(48, 400 * 50 - 1, 4)
    scores = np.full((len(frames), len(CLASSES)), -128, np.int8)
    for one in (*spoken, *other):
        place = int(np.searchsorted((frames * 320 + 480) / RATE, one.end / RATE))
        clear = 0.97 if one.word == "yeast" else 0.55 + 0.4 * spoken.index(one) / 100
        scores[place, CLASSES.index("no" if one.word == "no" else "yes")] = round(clear * 256) - 128
    made, config = Scores(frames, scores, CLASSES, 80.0), FrontendConfig()
    plain = DetectorSettings({"yes": 0.9, "no": 0.9}, {"yes": 500, "no": 500}, average_ms=80)
    tuned = tune(made, scene, plain, config, 45.0, averages_ms=(80,))
    result = evaluate(made, scene, tuned, config)
    assert (result.missed, result.false_accepts) == (0, 5)
    assert max(tuned.thresholds.values()) <= 0.56


def test_listening_is_features_inferences_and_detector() -> None:
    config = FrontendConfig(offsets=(0,) * 10, gains=(30,) * 10)
    calls: list[tuple[int, ...]] = []

    def network(features: NDArray[np.int8]) -> NDArray[np.int8]:
        calls.append(features.shape)
        return np.asarray([127, -128, -128, -128], np.int8)

    settings = DetectorSettings({"yes": 0.5, "no": 0.5}, {"yes": 1_000}, average_ms=100)
    table = detector_table(settings, CLASSES, 100.0)
    result = listen(tone(0), config, 20, network, table, Schedule(3, 5))
    assert result.frames.tolist() == [23, 28, 33, 38, 43, 48] and calls == [(20, 10)] * 6
    assert [(d.word, d.frame, d.time_ms) for d in result.detections] == [("yes", 23, 490)]
    assert list(detect(result.frames, result.scores, table, config)) == list(result.detections)
    assert len(listen(tone(0)[:100], config, 20, network, table, Schedule(19, 5)).features) == 0


def test_a_detector_is_written_only_beside_a_model_with_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no manifest"):
        write_detector(tmp_path / "model.tflite", DetectorSettings({}, {}))
    with pytest.raises(UsageError, match="no manifest"):
        write_detector(tmp_path, DetectorSettings({}, {}))
    (tmp_path / "model.json").write_text('{"labels": ["yes"]}', encoding="utf-8")
    path = write_detector(tmp_path / "model.tflite", DetectorSettings({"yes": 0.5}, {"yes": 1}))
    assert write_detector(tmp_path, DetectorSettings({"yes": 0.5}, {"yes": 1})) == path
    assert '"labels"' in path.read_text(encoding="utf-8") and '"thresholds"' in path.read_text(encoding="utf-8")
