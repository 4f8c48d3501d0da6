"""Data sets as TFRecords in shards: what comes back, what TensorFlow reads, damage, full disks, workers."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.data.makers import cifar10, edge_impulse, mnist, picture_bytes, pictures, speech_commands, wav_bytes
from tinyml.cli import main
from tinyml.data import Dataset, DatasetOptions, open_dataset
from tinyml.data.base import SPLITS, find_damaged
from tinyml.data.records import Worker, read
from tinyml.data.speech_commands import SpeechOptions
from tinyml.data.tfrecord import decode_example, encode_example, frame, masked_crc, unframe
from tinyml.data.write_records import write_records
from tinyml.errors import UsageError

pytest.importorskip("google_crc32c")
pytest.importorskip("PIL")


def hum(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-900, 900, 160_000).astype(np.int16)


def make(kind: str, folder: Path) -> Path:
    if kind == "speech_commands":
        return speech_commands(folder, dict.fromkeys(("yes", "no", "bird"), (6, 3, 3)))
    if kind == "edge_impulse_audio":
        clips = {
            f"{part}/{n}.wav": (wav_bytes(hum(n)[:16_000]), w) for part in ("training", "testing") for n, w in WORDS
        }
        return edge_impulse(folder, clips)
    if kind == "machine_sounds":
        names = ("train/normal_1", "train/normal_2", "train/normal_3", "test/normal_4", "test/anomaly_5")
        for seed, name in enumerate(names):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.wav").write_bytes(wav_bytes(hum(seed)))
        return folder
    if kind == "cifar10":
        return cifar10(folder, 20, 10)
    if kind == "mnist":
        return mnist(folder, 20, 10)
    return pictures(folder, {f"{split}/{name}": 3 for split in ("train", "val", "test") for name in ("cat", "dog")})


WORDS = tuple((n, word) for n, word in enumerate(("hey", "noise") * 12))


def same(one: Dataset, two: Dataset) -> None:
    assert (one.layout, one.kind, one.classes, one.notes) == (two.layout, two.kind, two.classes, two.notes)
    assert (one.sample_rate_hz, one.clip_samples, len(one.noise)) == (
        two.sample_rate_hz,
        two.clip_samples,
        len(two.noise),
    )
    assert all(np.array_equal(a, b) for a, b in zip(one.noise, two.noise, strict=True))
    for split in SPLITS:
        pairs = list(zip(one.samples(split), two.samples(split), strict=True))
        assert [(a.name, a.label) for a, _ in pairs] == [(b.name, b.label) for _, b in pairs]
        for a, b in pairs:
            left, right = a.decode(), b.decode()
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    "kind", ["speech_commands", "edge_impulse_audio", "machine_sounds", "cifar10", "mnist", "image_folder"]
)
def test_every_layout_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    whole = open_dataset(make(kind, tmp_path / "set"))
    assert whole.layout == kind
    written = write_records(whole, tmp_path / "records", 4)
    again = open_dataset(tmp_path / "records")
    same(whole, again)
    assert written.records["train"] == len(whole.samples("train")) and not written.left_out
    assert len(list((tmp_path / "records").glob("train-*-of-*.tfrecord"))) == written.shards["train"] <= 4
    write_records(again, tmp_path / "more", 3)
    same(whole, open_dataset(tmp_path / "more"))
    write_records(whole, tmp_path / "twice", 4)
    for path in (tmp_path / "records").iterdir():
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes()


def test_records_are_the_publics_format() -> None:
    assert masked_crc(b"123456789") == (((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    features = {"name": b"x", "label": (3, -1), "empty": b""}
    assert decode_example(encode_example(features)) == features
    assert unframe(frame(b"data")) == b"data"


@pytest.mark.train
def test_tensorflow_reads_the_shards(tmp_path: Path) -> None:
    import tensorflow as tf

    whole = open_dataset(make("speech_commands", tmp_path / "set"))
    write_records(whole, tmp_path / "records", 2)
    files = [str(path) for path in sorted((tmp_path / "records").glob("test-*.tfrecord"))]
    spec = {"name": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
    spec["audio/samples"] = tf.io.FixedLenFeature([], tf.string)
    examples = [tf.io.parse_single_example(record, spec) for record in tf.data.TFRecordDataset(files)]
    found = {item["name"].numpy().decode(): item for item in examples}
    assert len(examples) == len(found) == len(whole.samples("test"))
    for sample in whole.samples("test"):
        item = found[sample.name]
        assert int(item["label"]) == sample.label
        samples = tf.io.decode_raw(item["audio/samples"], tf.int16, little_endian=True).numpy()
        np.testing.assert_array_equal(samples, sample.decode())


def test_damaged_records_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    write_records(open_dataset(make("image_folder", tmp_path / "set")), tmp_path / "records", 2)
    shard = tmp_path / "records" / "train-00000-of-00002.tfrecord"
    table = json.loads(shard.with_suffix(".index.json").read_text())
    content = bytearray(shard.read_bytes())
    content[table["offsets"][1]] ^= 1
    content[table["offsets"][0] + 40] ^= 1
    shard.write_bytes(content[:-1])
    decoded = open_dataset(tmp_path / "records").decode("train", lambda picture: picture[:4, :4])
    assert {item.name for item in decoded.skipped} == set(table["names"][:3])
    reasons = " / ".join(item.reason for item in decoded.skipped)
    assert "checksum" in reasons and "length is damaged" in reasons and "ends after" in reasons
    assert len(decoded.names) == 3
    assert len(find_damaged(open_dataset(tmp_path / "records"))) == 3


def test_damaged_pictures_are_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make("image_folder", tmp_path / "set")
    (folder / "train" / "cat" / "broken.png").write_bytes(picture_bytes(1)[:40])
    arguments = ["data", "records", str(folder), "--output", str(tmp_path / "records"), "--shards", "2", "--json"]
    assert main(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in told["left_out"]] == ["train/cat/broken.png"]
    assert told["records"] == {"train": 6, "validation": 6, "test": 6, "noise": 0}
    assert "left out of the records, first train/cat/broken.png" in " ".join(open_dataset(tmp_path / "records").notes)
    assert main(arguments) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_half_written(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyml.data import write_records as module

    whole = open_dataset(make("mnist", tmp_path / "set"))
    calls = []

    def failing(data: bytes) -> bytes:
        calls.append(data)
        if len(calls) > 7:
            raise error
        return frame(data)

    monkeypatch.setattr(module, "frame", failing)
    with pytest.raises((UsageError, KeyboardInterrupt)) as caught:
        write_records(whole, tmp_path / "out" / "records", 2)
    if isinstance(error, OSError):
        assert "No space left" in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("records.json", "{", "cannot read"),
        ("records.json", "{}", "no manifest of records"),
        ("train-00000-of-00002.index.json", '{"names": []}', "damaged"),
        ("train-00001-of-00002.tfrecord", None, "cannot read"),
    ],
)
def test_damaged_folders_are_usage_errors(name: str, content: str | None, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    write_records(open_dataset(make("mnist", tmp_path / "set")), folder, 2)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(UsageError, match=message):
        open_dataset(folder)


def test_each_worker_reads_its_own_shards(tmp_path: Path) -> None:
    whole = open_dataset(make("cifar10", tmp_path / "set"))
    write_records(whole, tmp_path / "records", 4)
    parts = [read(tmp_path / "records", worker=Worker(index, 2)) for index in range(2)]
    names = [[sample.name for sample in part.samples("train")] for part in parts]
    assert not set(names[0]) & set(names[1])
    assert sorted(names[0] + names[1]) == sorted(sample.name for sample in whole.samples("train"))
    assert len(parts[0].samples("test")) == len(whole.samples("test"))
    with pytest.raises(UsageError, match="4 training shards for 5 workers"):
        read(tmp_path / "records", worker=Worker(0, 5))


def test_words_are_those_that_were_written(tmp_path: Path) -> None:
    folder = make("speech_commands", tmp_path / "set")
    write_records(open_dataset(folder, options=DatasetOptions(SpeechOptions(words=("yes", "no")))), tmp_path / "r", 2)
    turned = open_dataset(tmp_path / "r", options=DatasetOptions(SpeechOptions(words=("no", "yes"))))
    assert turned.classes == ("no", "yes", "_silence_", "_unknown_")
    assert all(("yes", "no")[sample.label == 0] in sample.name for sample in turned.samples("test") if sample.label < 2)
    with pytest.raises(UsageError, match="records of the words yes, no, not bird"):
        open_dataset(tmp_path / "r", options=DatasetOptions(SpeechOptions(words=("bird",))))
