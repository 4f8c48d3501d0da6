"""Edge Impulse exports: the label file, its categories, and the acquisition format as JSON and CBOR."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest

from tests.unit.data.makers import acquisition, edge_impulse, picture_bytes, tone, wav_bytes, write
from tests.unit.data.test_damage import mutated
from tinyml.data import open_dataset
from tinyml.data.acquisition import decode_acquisition
from tinyml.data.base import CorruptSampleError
from tinyml.data.detect import DatasetOptions
from tinyml.data.speech_commands import SpeechOptions
from tinyml.errors import UsageError

SHORT = DatasetOptions(SpeechOptions(clip_ms=100))


def as_file(kind: str, samples: np.ndarray) -> bytes:
    if kind == "wav":
        return wav_bytes(samples)
    return (
        json.dumps(acquisition(samples)).encode() if kind == "json" else cbor2.dumps(acquisition(samples, nested=True))
    )


def sounds(count: int = 12) -> dict[str, tuple[bytes, str]]:
    """Keywords as WAV, JSON and CBOR in turns, noise and unknown words, in both parts."""
    files: dict[str, tuple[bytes, str]] = {}
    for part, number in (("training", count), ("testing", 3)):
        for word in ("hey", "stop", "noise", "unknown"):
            for index in range(number):
                kind = ("wav", "json", "cbor")[index % 3]
                files[f"{part}/{word}.{index}.{kind}"] = as_file(kind, tone(index, 1_600)), word
    return files


@pytest.mark.parametrize("several", [False, True])
def test_sounds(tmp_path: Path, several: bool) -> None:
    dataset = open_dataset(edge_impulse(tmp_path, sounds(), several=several), options=SHORT)
    assert dataset.layout == "edge_impulse_audio"
    assert dataset.classes == ("hey", "stop", "_silence_", "_unknown_")
    counts = dataset.counts()
    assert counts["test"] == dict.fromkeys(dataset.classes, 3)
    assert sum(counts["train"].values()) + sum(counts["validation"].values()) >= 48
    by_name = {sample.name: sample for sample in dataset.samples("test")}
    for index, kind in enumerate(("wav", "json", "cbor")):
        assert np.array_equal(by_name[f"testing/stop.{index}.{kind}"].decode(), tone(index, 1_600))
    assert dataset.noise and all(len(noise) == 1_600 for noise in dataset.noise)


def test_damaged_and_missing_samples_are_named_and_counted(tmp_path: Path) -> None:
    edge_impulse(tmp_path, sounds())
    (tmp_path / "testing" / "hey.1.json").write_text('{"payload": {"values": [1, 2', encoding="utf-8")
    (tmp_path / "testing" / "hey.0.wav").unlink()
    decoded = open_dataset(tmp_path, options=SHORT).decode("test")
    assert {item.name for item in decoded.skipped} == {"testing/hey.1.json", "testing/hey.0.wav"}
    assert len(decoded.names) == 10


def test_other_rates_are_resampled(tmp_path: Path) -> None:
    files = sounds()
    files["testing/hey.1.json"] = json.dumps(acquisition(tone(1, 800), 8_000)).encode(), "hey"
    dataset = open_dataset(edge_impulse(tmp_path, files), options=SHORT)
    assert all(sample.decode().shape == (1_600,) for sample in dataset.samples("test"))


def test_pictures_and_the_labels_of_boxes(tmp_path: Path) -> None:
    files = {f"training/{name}.{i}.png": (picture_bytes(i), name) for name in ("lamp", "plant") for i in range(12)}
    files |= {
        f"testing/{name}.{i}.jpg": (picture_bytes(i, kind="JPEG"), name) for name in ("lamp", "plant") for i in (1, 2)
    }
    edge_impulse(tmp_path, files)
    info = tmp_path / "info.labels"
    content = json.loads(info.read_text(encoding="utf-8"))
    box = {"x": 1, "y": 1, "width": 5, "height": 5}
    unlabelled = {"label": {"type": "unlabeled"}, "category": "testing"}
    for index, labels in enumerate((["lamp", "lamp"], ["lamp", "plant"], [])):
        write(tmp_path / f"testing/box{index}.png", picture_bytes(index))
        boxes = [{**box, "label": label} for label in labels]
        content["files"].append({"path": f"testing/box{index}.png", **unlabelled, "boundingBoxes": boxes})
    info.write_text(json.dumps(content), encoding="utf-8")
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.classes) == ("edge_impulse_images", ("lamp", "plant"))
    assert dataset.counts()["test"] == {"lamp": 3, "plant": 2}
    assert dataset.notes == ("2 samples without one label were left out",)
    assert dataset.samples("test")[0].decode().shape == (20, 24, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "../secret.wav"}, "a file outside its folder"),
        ({"category": "holiday"}, "has the category 'holiday'"),
    ],
)
def test_labels_that_are_wrong(tmp_path: Path, change: dict[str, str], message: str) -> None:
    edge_impulse(tmp_path, sounds(1))
    info = tmp_path / "info.labels"
    content = json.loads(info.read_text(encoding="utf-8"))
    content["files"][0].update(change)
    info.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        open_dataset(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"files": 3}', '{"files": [3]}', '{"version": 2, "files": []}'])
def test_label_files_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "info.labels").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"info\.labels"):
        open_dataset(tmp_path)


def test_other_sensors_are_refused(tmp_path: Path) -> None:
    moving: dict[str, Any] = acquisition(tone(1, 30))
    axes = [{"name": f"acc{axis}", "units": "m/s2"} for axis in "XYZ"]
    moving["payload"] |= {"interval_ms": 16, "sensors": axes, "values": [[1.0, 2.0, 9.8]] * 10}
    content = json.dumps(moving).encode()
    files = {f"{part}/wave.{index}.json": (content, "wave") for part in ("training", "testing") for index in range(9)}
    with pytest.raises(UsageError, match="holds accX, accY, accZ every 16 ms"):
        open_dataset(edge_impulse(tmp_path, files))


@pytest.mark.parametrize("kind", ["json", "cbor"])
def test_flipped_and_cut_bytes(kind: str) -> None:
    dump = {"json": lambda value: json.dumps(value).encode(), "cbor": cbor2.dumps}[kind]
    whole = dump(acquisition(tone(3, 200)))
    refused = 0
    for seed in range(300):
        try:
            rate_hz, samples = decode_acquisition(f"x.{kind}", mutated(whole, seed)).sound()
            assert rate_hz > 0 and samples.dtype == np.int16 and len(samples)
        except CorruptSampleError:
            refused += 1
    assert refused > 30
