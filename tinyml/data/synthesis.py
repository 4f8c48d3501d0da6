"""Spoken words without recordings: a data set laid out like Speech Commands, made by a speech synthesiser.

Each clip is a word said by one of many voices at its own pitch and speed, then put in a made-up room, at a loudness and
in noise. Voices are divided over the splits, so that none is heard in training and in testing. The same seed and the
same version of the synthesiser give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyml import __version__
from tinyml.data.audio import resample
from tinyml.data.base import SPLITS, TEST, TRAIN, VALIDATION, Progress, name_seed
from tinyml.data.espeak import Voice
from tinyml.data.rooms import COLOURS, coloured_noise, mix_at_snr, reverberate, room_response
from tinyml.data.speech_commands import NOISE
from tinyml.errors import UsageError
from tinyml.files import new_folder

# fmt: off
OTHER_WORDS = (
    "about", "after", "again", "always", "before", "between", "book", "bottle", "camera", "city", "coffee",
    "computer", "dinner", "door", "evening", "family", "finger", "garden", "happy", "hello", "house", "kitchen",
    "letter", "listen", "little", "money", "monday", "morning", "mother", "music", "never", "number", "open",
    "orange", "paper", "people", "picture", "please", "question", "ready", "river", "school", "seven", "something",
    "summer", "table", "thank", "tomorrow", "tree", "under", "water", "weather", "window", "winter", "yellow",
    "yesterday",
)
# fmt: on
PITCHES, SPEEDS = (20, 80), (120, 210)
FASTEST = 300
REVERBERATION_S, DIRECT_DB = (0.08, 0.5), (0.0, 12.0)
PEAK = (0.05, 0.9)
SNR_DB = (5.0, 35.0)
NOISE_S = 30
_SILENCE = 0.02
_TENTHS = {1: VALIDATION, 2: TEST}
"""Which of ten clips of a word are held out."""

_WORD = re.compile(r"[^\W_][\w' -]{0,60}")


class Speaker(Protocol):
    """What says a text: :class:`tinyml.data.espeak.Espeak`, or a test's own."""

    @property
    def version(self) -> str:
        """Its version, for the record."""

    def speak(self, text: str, voice: Voice, pitch: int, words_a_minute: int) -> tuple[int, NDArray[np.int16]]:
        """Sample rate in Hz and int16 samples."""


@dataclass(frozen=True)
class SynthesisOptions:
    """``count`` clips of each of ``words``; ``others`` are said ``other_count`` times each, to be told apart from."""

    words: tuple[str, ...]
    others: tuple[str, ...] = OTHER_WORDS
    count: int = 500
    other_count: int = 20
    language: str = "en"
    clip_ms: int = 1_000
    sample_rate_hz: int = 16_000
    seed: int = 0
    augment: bool = True


@dataclass(frozen=True)
class Clip:
    """One clip that was made: who said what how, and what was done to it; None where it was left as it was."""

    file: str
    text: str
    split: str
    voice: str
    pitch: int
    words_a_minute: int
    reverberation_s: float | None
    direct_db: float | None
    noise: str | None
    snr_db: float | None
    peak: float


def synthesise(
    output: Path,
    options: SynthesisOptions,
    voices: Sequence[Voice],
    speaker: Speaker,
    progress: Progress | None = None,
) -> tuple[Clip, ...]:
    """Write the data set into the new folder ``output``; it is there whole or not at all.

    Raises UsageError for words that cannot be folders, a word longer than a clip, or a folder that has files in it.
    """
    plan = _plan(options, voices)
    clips = []
    with new_folder(output) as work:
        for number, (clip, voice) in enumerate(plan):
            made, samples = make_clip(clip, voice, options, speaker)
            _write(work / made.file, wav_file(samples, options.sample_rate_hz))
            clips.append(made)
            if progress is not None:
                progress(number + 1, len(plan))
        _write_beside(work, clips, options, speaker)
    return tuple(clips)


def folder_name(word: str) -> str:
    """A word's folder, and so its class: lower case, spaces as underscores; UsageError where it has no letters."""
    if not _WORD.fullmatch(word):
        raise UsageError(f"{word!r} is no word to say", hint="letters, digits, spaces and apostrophes")
    return re.sub(r"[\s-]+", "_", word.strip().lower())


def other_words(words: Sequence[str]) -> tuple[str, ...]:
    """What keywords have to be told apart from: the parts of phrases, which are nearest, then common words."""
    taken = {folder_name(word) for word in words}
    parts = dict.fromkeys(part.lower() for word in words if len(word.split()) > 1 for part in word.split())
    return tuple(part for part in dict.fromkeys((*parts, *OTHER_WORDS)) if folder_name(part) not in taken)


def split_voices(voices: Sequence[Voice], seed: int) -> dict[Voice, str]:
    """Each voice's split: a tenth of them for validation, a tenth for testing, one or more each.

    Raises UsageError for fewer than three voices.
    """
    if len(voices) < 3:
        raise UsageError(f"{len(voices)} voices cannot be divided over three splits")
    order = np.random.default_rng(seed).permutation(len(voices))
    held = max(1, round(len(voices) / 10))
    return {
        voices[index]: VALIDATION if place < held else TEST if place < 2 * held else TRAIN
        for place, index in enumerate(order)
    }


def _plan(options: SynthesisOptions, voices: Sequence[Voice]) -> list[tuple[Clip, Voice]]:
    """Every clip with its draws; a clip's draws depend on its word and number alone, not on the other words."""
    names = [folder_name(word) for word in (*options.words, *options.others)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not options.words or twice:
        raise UsageError(f"the word {twice[0]!r} is given twice" if twice else "no words to say", hint="--words A,B,…")
    split_of = split_voices(voices, options.seed)
    heard = {split: [voice for voice in voices if split_of[voice] == split] for split in SPLITS}
    plan = []
    for word in (*options.words, *options.others):
        count = options.count if word in options.words else options.other_count
        for number in range(count):
            rng = np.random.default_rng(name_seed(f"{word}/{number}", options.seed))
            split = _TENTHS.get(number % 10, TRAIN)
            voice = heard[split][int(rng.integers(len(heard[split])))]
            speaker = hashlib.sha1(voice.name.encode(), usedforsecurity=False).hexdigest()[:8]
            clip = Clip(
                file=f"{folder_name(word)}/{speaker}_nohash_{number}.wav",
                text=word,
                split=split,
                voice=voice.name,
                pitch=int(rng.integers(PITCHES[0], PITCHES[1] + 1)),
                words_a_minute=int(rng.integers(SPEEDS[0], SPEEDS[1] + 1)),
                reverberation_s=round(float(rng.uniform(*REVERBERATION_S)), 3) if options.augment else None,
                direct_db=round(float(rng.uniform(*DIRECT_DB)), 1) if options.augment else None,
                noise=str(rng.choice(list(COLOURS))) if options.augment else None,
                snr_db=round(float(rng.uniform(*SNR_DB)), 1) if options.augment else None,
                peak=round(float(np.exp(rng.uniform(*np.log(PEAK)))), 3) if options.augment else PEAK[1],
            )
            plan.append((clip, voice))
    return plan


def make_clip(clip: Clip, voice: Voice, options: SynthesisOptions, speaker: Speaker) -> tuple[Clip, NDArray[np.int16]]:
    """Say and change one clip: its record, and int16 samples ``[clip samples]``.

    A word that does not fit is said faster. Raises UsageError where it does not fit at the fastest either.
    """
    length = options.sample_rate_hz * options.clip_ms // 1000
    spoken = _say(clip, voice, options, speaker)
    while len(spoken) > length:
        faster = min(FASTEST, int(clip.words_a_minute * len(spoken) / length) + 10)
        if clip.words_a_minute >= FASTEST:
            raise UsageError(
                f"{clip.text!r} takes {1000 * len(spoken) // options.sample_rate_hz} ms at {FASTEST} words a minute,"
                f" a clip has {options.clip_ms} ms",
                hint="choose a shorter phrase, or a larger --clip-ms",
            )
        clip = replace(clip, words_a_minute=faster)
        spoken = _say(clip, voice, options, speaker)
    rng = np.random.default_rng(name_seed(clip.file, options.seed + 1))
    start = int(rng.integers(length - len(spoken) + 1))
    sound = np.zeros(length, np.float32)
    sound[start : start + len(spoken)] = spoken
    if clip.reverberation_s is not None and clip.direct_db is not None:
        sound = reverberate(sound, room_response(clip.reverberation_s, clip.direct_db, options.sample_rate_hz, rng))
    if clip.noise is not None and clip.snr_db is not None:
        present = sound[start : start + len(spoken)]
        sound = mix_at_snr(sound, coloured_noise(length, clip.noise, rng), clip.snr_db, present)
    loudest = float(np.abs(sound).max(initial=0.0))
    scaled = sound * (clip.peak * 32_767 / loudest if loudest > 0 else 0.0)
    return clip, np.asarray(np.rint(scaled), np.int16)


def _say(clip: Clip, voice: Voice, options: SynthesisOptions, speaker: Speaker) -> NDArray[np.int16]:
    """The word without the silence around it, at the data set's rate."""
    rate_hz, samples = speaker.speak(clip.text, voice, clip.pitch, clip.words_a_minute)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENCE * np.abs(samples.astype(np.int32)).max(initial=0))
    if not len(loud):
        raise UsageError(f"{clip.text!r} is silent as {voice.name}", hint="choose a word that can be spoken")
    return resample(samples[loud[0] : loud[-1] + 1], rate_hz, options.sample_rate_hz)


def wav_file(samples: NDArray[np.int16], rate_hz: int) -> bytes:
    """A 16-bit mono WAV file of the samples ``[samples]``."""
    content = io.BytesIO()
    with wave.open(content, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _write_beside(folder: Path, clips: Sequence[Clip], options: SynthesisOptions, speaker: Speaker) -> None:
    """Noise recordings, the lists of the splits, and the manifest."""
    for colour in COLOURS:
        rng = np.random.default_rng(name_seed(colour, options.seed))
        noise = coloured_noise(NOISE_S * options.sample_rate_hz, colour, rng) * 1_000
        samples = np.asarray(np.clip(np.rint(noise), -32_768, 32_767), np.int16)
        _write(folder / NOISE / f"{colour}.wav", wav_file(samples, options.sample_rate_hz))
    for split, name in ((VALIDATION, "validation"), (TEST, "testing")):
        listed = [clip.file for clip in clips if clip.split == split]
        (folder / f"{name}_list.txt").write_text("".join(f"{file}\n" for file in listed), encoding="utf-8")
    manifest: dict[str, Any] = {
        "what": "synthetic speech",
        "synthesiser": f"eSpeak NG {speaker.version}",
        "tinyml_version": __version__,
        "options": asdict(options),
        "clips": [asdict(clip) for clip in clips],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def split_counts(clips: Sequence[Clip]) -> dict[str, int]:
    """Clips in each split."""
    return {split: sum(clip.split == split for clip in clips) for split in SPLITS}
