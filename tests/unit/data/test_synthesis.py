"""Synthetic words: the folder that comes out, its splits by voice, seeds, and what a user can get wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.shared import require_module, require_tool
from tinyml.cli import main
from tinyml.data import open_dataset
from tinyml.data.detect import DatasetOptions
from tinyml.data.espeak import Espeak, Voice, voices
from tinyml.data.espeak_library import EspeakLibrary, find_speaker
from tinyml.data.speech_commands import SpeechOptions
from tinyml.data.synthesis import SynthesisOptions, folder_name, other_words, synthesise
from tinyml.errors import BuildError, UsageError

VOICES = tuple(Voice("en", f"m{number}") for number in range(20))
OPTIONS = SynthesisOptions(words=("hey tiny",), others=("tiny", "tree"), count=20, other_count=10, seed=3)


class Hum:
    """Says everything as a tone between silences, the longer the text and the slower, the longer the tone."""

    version = "0"

    def speak(self, text: str, voice: Voice, pitch: int, words_a_minute: int) -> tuple[int, NDArray[np.int16]]:
        length = 22_050 * len(text) * 8 // words_a_minute
        wave = 8_000 * np.sin(np.arange(length) * (100 + pitch) / 2_000 + 1.0)
        return 22_050, np.pad(wave.astype(np.int16), 2_000)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_folder_is_read_like_speech_commands(tmp_path: Path) -> None:
    clips = synthesise(tmp_path / "set", OPTIONS, VOICES, Hum())
    dataset = open_dataset(tmp_path / "set", options=DatasetOptions(SpeechOptions(words=("hey_tiny",))))
    assert dataset.layout == "speech_commands" and dataset.classes == ("hey_tiny", "_silence_", "_unknown_")
    counts = dataset.counts()
    assert [counts[split]["hey_tiny"] for split in ("train", "validation", "test")] == [16, 2, 2]
    assert [counts[split]["_unknown_"] for split in ("train", "validation", "test")] == [16, 2, 2]
    assert len(dataset.noise) == 3 and not dataset.decode("train").skipped
    speakers = {
        split: {clip.voice for clip in clips if clip.split == split} for split in ("train", "validation", "test")
    }
    assert not speakers["train"] & speakers["test"] and not speakers["train"] & speakers["validation"]
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["what"] == "synthetic speech" and len(manifest["clips"]) == len(clips) == 40


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        synthesise(tmp_path / name, SynthesisOptions(**{**vars(OPTIONS), "seed": seed}), VOICES, Hum())
    first, second, other = (contents(tmp_path / name) for name in "abc")
    assert first == second
    assert first != other


def test_loudness_and_length_of_clips(tmp_path: Path) -> None:
    clips = synthesise(tmp_path / "set", OPTIONS, VOICES, Hum())
    dataset = open_dataset(tmp_path / "set", options=DatasetOptions(SpeechOptions(words=("hey_tiny",))))
    by_name = {sample.name: sample.decode() for sample in dataset.samples("train")}
    checked = 0
    for clip in clips:
        if clip.file in by_name:
            assert by_name[clip.file].shape == (16_000,)
            assert np.abs(by_name[clip.file].astype(int)).max() == pytest.approx(32_767 * clip.peak, abs=2)
            checked += 1
    assert checked == 32


def test_what_is_too_long_is_said_faster_and_refused_where_that_is_not_enough(tmp_path: Path) -> None:
    options = SynthesisOptions(words=("hey little computer",), others=(), count=10, augment=False)
    clips = synthesise(tmp_path / "set", options, VOICES, Hum())
    assert {clip.noise for clip in clips} == {None} and max(clip.words_a_minute for clip in clips) <= 300
    long = SynthesisOptions(words=("a very long wake phrase that nobody says",), others=(), count=10)
    with pytest.raises(UsageError, match="at 300 words a minute, a clip has 1000 ms"):
        synthesise(tmp_path / "other", long, VOICES, Hum())
    assert [path.name for path in tmp_path.iterdir()] == ["set"], "nothing half-written is left"


def test_words_become_folders() -> None:
    assert folder_name("Hey Tiny") == "hey_tiny"
    assert other_words(("hey tiny", "water"))[:3] == ("hey", "tiny", "about") and "water" not in other_words(("water",))
    for bad in ("../up", "", "-v", "a/b", "_silence_"):
        with pytest.raises(UsageError, match="is no word to say"):
            folder_name(bad)


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="is not empty"):
        synthesise(tmp_path, OPTIONS, VOICES, Hum())
    twice = SynthesisOptions(words=("Tree",), others=("tree",))
    with pytest.raises(UsageError, match="'tree' is given twice"):
        synthesise(tmp_path / "x", twice, VOICES, Hum())
    with pytest.raises(UsageError, match="no name of a language"):
        voices("--help")


def test_a_missing_program_is_named_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(BuildError, match="espeak-ng is not installed") as caught:
        find_speaker()
    assert "apt install espeak-ng" in str(caught.value.hint)


@pytest.mark.parametrize("kind", ["program", "library"])
def test_the_real_synthesiser(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if kind == "program":
        require_tool("espeak-ng")
    else:
        require_module("espeakng_loader")
        monkeypatch.setenv("PATH", str(tmp_path))
    speaker = find_speaker()
    assert isinstance(speaker, Espeak if kind == "program" else EspeakLibrary)
    rate_hz, slow = speaker.speak("hey tiny", Voice("en-us", "f2"), 50, 120)
    assert rate_hz == 22_050 and slow.dtype == np.int16 and np.abs(slow.astype(int)).max() > 3_000
    assert 4_000 < len(speaker.speak("hey tiny", Voice("en-us", "f2"), 50, 200)[1]) < len(slow)
    assert len(speaker.speak("stop", Voice("en-gb", "m3"), 50, 200)[1]) > 2_000
    with pytest.raises(BuildError, match="could not say 'hey' as qqq"):
        speaker.speak("hey", Voice("qqq", "m1"), 50, 120)


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_tool("espeak-ng")
    arguments = ["--words", "hey tiny", "--count", "10", "--others", "tree", "--other-count", "3"]
    assert main(["data", "synth", *arguments, "-o", str(tmp_path / "set"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["words"] == ["hey_tiny"] and sum(printed["clips"].values()) == 13
