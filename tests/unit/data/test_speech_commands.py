"""Speech Commands: splits, keywords, silence, unknown words, damaged clips, the packed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import require_shared
from tests.unit.data.makers import pack_clips, speech_commands, tone, wav_bytes, write
from tinyml.data import DatasetOptions, detect, open_dataset
from tinyml.data.silence import RMS_RANGE
from tinyml.data.speech_commands import SpeechOptions, read, which_set
from tinyml.errors import UsageError

COUNTS = {
    "yes": (10, 3, 4),
    "no": (10, 3, 4),
    "go": (1, 1, 4),
    "cat": (3, 1, 2),
    "dog": (4, 0, 1),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return speech_commands(tmp_path / "speech", COUNTS)


def test_splits_classes_and_what_is_left_out(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert (dataset.layout, dataset.kind) == ("speech_commands", "audio")
    assert dataset.classes == ("yes", "no", "_silence_", "_unknown_")
    assert dataset.counts() == {
        "train": {"yes": 10, "no": 10, "_silence_": 10, "_unknown_": 7},
        "validation": {"yes": 3, "no": 3, "_silence_": 3, "_unknown_": 1},
        "test": {"yes": 4, "no": 4, "_silence_": 4, "_unknown_": 3},
    }
    assert "go 1" in dataset.notes[0]
    test_names = {sample.name for sample in dataset.samples("test")}
    assert {line for line in (folder / "testing_list.txt").read_text().split() if "go/" not in line} <= test_names


def test_words_and_exclusions(folder: Path) -> None:
    dataset = read(folder, SpeechOptions(words=("go", "cat"), exclude=("dog",)))
    assert dataset.classes == ("go", "cat", "_silence_", "_unknown_")
    assert dataset.counts()["train"] == {"go": 1, "cat": 3, "_silence_": 2, "_unknown_": 4}
    assert not any("dog/" in sample.name for sample in dataset.samples("train"))
    with pytest.raises(UsageError, match="no training clips of the word 'maybe'"):
        read(folder, SpeechOptions(words=("maybe",)))
    with pytest.raises(UsageError, match="the word 'go' is given twice"):
        read(folder, SpeechOptions(words=("go", "cat", "go")))


def test_decoded_clips_are_the_files(folder: Path) -> None:
    dataset = open_dataset(folder)
    decoded = dataset.decode("test")
    assert decoded.values.shape == (15, 16_000) and decoded.values.dtype == np.int16
    for name, label, clip in zip(decoded.names, decoded.labels, decoded.values, strict=True):
        if not name.startswith("_"):
            assert np.array_equal(clip, tone(int(name.split("/")[1][:8], 16)))
            word = name.split("/")[0]
            assert dataset.classes[label] == (word if word in ("yes", "no") else "_unknown_")


def test_damaged_clips_are_skipped_by_name(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "yes").iterdir())
    write(folder / "yes" / names[0], b"RIFF")
    write(folder / "yes" / names[1], wav_bytes(np.zeros(0, np.int16)))
    decoded = open_dataset(folder).decode("train")
    assert {item.name for item in decoded.skipped} == {f"yes/{names[0]}", f"yes/{names[1]}"}
    assert {item.reason for item in decoded.skipped if names[1] in item.name} == {"has no samples"}
    assert len(decoded.values) == 37 - 2


def test_only_damaged_clips_are_an_error(tmp_path: Path) -> None:
    folder = speech_commands(tmp_path / "speech", {"yes": (2, 0, 0)})
    for path in (folder / "yes").iterdir():
        path.write_bytes(b"nothing")
    dataset = read(folder, SpeechOptions(silence_ratio=0))
    with pytest.raises(UsageError, match="2 of them damaged"):
        dataset.decode("train")


def test_without_lists_the_hash_rule_decides_and_keeps_speakers_together(tmp_path: Path) -> None:
    folder = speech_commands(tmp_path / "speech", {"yes": (40, 0, 0), "no": (40, 0, 0)}, lists=False)
    dataset = open_dataset(folder)
    for split in ("train", "validation", "test"):
        for sample in dataset.samples(split):
            if sample.name.startswith("_"):
                continue
            assert which_set(sample.name) == split
    assert which_set("yes/0a_nohash_0.wav") == which_set("no/0a_nohash_7.wav")


def test_hash_rule_shares() -> None:
    splits = [which_set(f"yes/{index:08x}_nohash_0.wav") for index in range(4_000)]
    assert abs(splits.count("validation") - 400) < 80 and abs(splits.count("test") - 400) < 80


def test_other_rates_lengths_and_channels(tmp_path: Path) -> None:
    folder = speech_commands(tmp_path / "speech", {"yes": (3, 1, 1)})
    time = np.arange(8_000)
    slow = (8_000 * np.sin(2 * np.pi * 440 * time / 8_000)).astype(np.int16)
    write(folder / "yes" / "slow_nohash_0.wav", wav_bytes(slow, 8_000))
    write(folder / "yes" / "short_nohash_0.wav", wav_bytes(np.full(5_001, 100, np.int16)))
    write(folder / "yes" / "long_nohash_0.wav", wav_bytes(np.arange(20_000, dtype=np.int16)))
    write(folder / "yes" / "stereo_nohash_0.wav", wav_bytes(np.stack((np.full(16_000, 9), np.full(16_000, 5)), axis=1)))
    decoded = open_dataset(folder).decode("train")
    clips = {name.split("/")[-1].split("_")[0]: clip for name, clip in zip(decoded.names, decoded.values, strict=True)}
    wanted = 8_000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(clips["slow"][500:-500] - wanted[500:-500]).max() < 40
    assert clips["short"].sum() == 500_100 and clips["short"][5_499] == 100 and clips["short"][5_498] == 0
    assert np.array_equal(clips["long"], np.arange(2_000, 18_000))
    assert (clips["stereo"] == 7).all()


def test_silence_is_seeded_apart_in_each_split_and_of_many_volumes(folder: Path) -> None:
    dataset = read(folder, SpeechOptions(silence_ratio=8))
    first, again = dataset.decode("train"), read(folder, SpeechOptions(silence_ratio=8)).decode("train")
    silence = first.values[first.labels == 2].astype(float)
    assert len(silence) == 80 and np.array_equal(first.values, again.values)
    other = read(folder, SpeechOptions(silence_ratio=8, seed=1)).decode("train")
    assert not np.array_equal(silence, other.values[other.labels == 2])
    volumes = np.sqrt((silence**2).mean(axis=1))
    assert volumes.min() < 20 and volumes.max() > 1_000 and volumes.max() < 1.1 * RMS_RANGE[1]


def test_silence_of_a_split_comes_from_its_own_part(tmp_path: Path) -> None:
    folder = speech_commands(tmp_path / "speech", {"yes": (12, 12, 12)})
    ramp = np.repeat(np.arange(1, 1_001), 320).astype(np.int16)
    for path in (folder / "_background_noise_").iterdir():
        path.write_bytes(wav_bytes(ramp))
    dataset = read(folder, SpeechOptions(unknown_ratio=0))
    for split, low, high in (("train", 1, 801), ("validation", 800, 901), ("test", 900, 1_001)):
        decoded = dataset.decode(split)
        for clip in decoded.values[decoded.labels == 1].astype(float):
            if clip.max() < 500:
                continue
            slope = np.polyfit(np.arange(16_000), clip, 1)
            start = slope[1] / slope[0] / 320
            assert low - 2 <= start + 1 <= high - 49


def test_test_silence_folder_is_used(folder: Path) -> None:
    for index in range(3):
        write(folder / "_silence_" / f"{index}.wav", wav_bytes(tone(index + 50)))
    dataset = open_dataset(folder)
    assert [sample.name for sample in dataset.samples("test") if sample.label == 2] == [
        f"_silence_/{index}.wav" for index in range(3)
    ]
    assert dataset.counts()["train"]["_silence_"] == 10


def test_unknown_words_are_limited_by_the_seed(folder: Path) -> None:
    names = []
    for seed in (0, 0, 1, 2):
        dataset = read(folder, SpeechOptions(unknown_ratio=0.4, seed=seed))
        names.append([sample.name for sample in dataset.samples("train") if sample.label == 3])
        assert len(names[-1]) == 4 and all(name.startswith(("cat/", "dog/")) for name in names[-1])
    assert names[0] == names[1] and len({tuple(chosen) for chosen in names}) > 1


def test_folders_without_official_words_are_all_keywords(tmp_path: Path) -> None:
    folder = speech_commands(tmp_path / "own", {"hello": (3, 1, 1), "stopp": (3, 1, 1)})
    dataset = open_dataset(folder)
    assert dataset.classes == ("hello", "stopp", "_silence_", "_unknown_")
    assert "all 2 folders" in dataset.notes[0]


def test_packed_form_is_the_same_data_set(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.wav"))]
    clips = {}
    for name in names:
        clips[name] = np.frombuffer((folder / name).read_bytes()[44:], "<i2").astype(np.int16)
    texts = {path.name: path.read_text() for path in folder.glob("*.txt")}
    pack_clips(packed / "speech.npz", clips, texts)
    ours, theirs = open_dataset(packed), open_dataset(folder)
    assert ours.counts() == theirs.counts()
    for split in ("train", "validation", "test"):
        first, second = ours.decode(split), theirs.decode(split)
        assert first.names == second.names and np.array_equal(first.values, second.values)


def test_packed_form_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = pack_clips(tmp_path / "speech.npz", {"yes/a.wav": tone(1)}, {})
    data = bytearray(path.read_bytes())
    with np.load(path) as whole:
        np.savez(path, **{**dict(whole), "lengths": np.array([15_999])})
    with pytest.raises(UsageError, match="hold 16000 samples"):
        open_dataset(tmp_path, "speech_commands")
    data[data.index(b"\xfd7zXZ") + 40] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(UsageError, match="cannot read the packed clips"):
        open_dataset(tmp_path, "speech_commands")


@pytest.mark.shared
def test_the_shared_set_has_its_published_counts_and_obeys_the_hash_rule() -> None:
    folder = require_shared("data/speech_commands/speech_commands_subset.npz").parent
    assert detect(folder).name == "speech_commands"
    dataset = open_dataset(folder, None, DatasetOptions())
    assert dataset.classes == ("yes", "no", "up", "down", "left", "right", "stop", "_silence_", "_unknown_")
    counts = dataset.counts()
    assert counts["train"]["_unknown_"] == 146 and counts["validation"]["_unknown_"] == 25
    assert counts["test"]["_unknown_"] == 110 and counts["test"]["_silence_"] == 110
    named = [(split, sample.name) for split in dataset.splits for sample in dataset.samples(split)]
    real = [(split, name) for split, name in named if "_silence_" not in name]
    assert sum(which_set(name) != split for split, name in real) == 0
