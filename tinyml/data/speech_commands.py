"""Google Speech Commands (Warden 2018, arXiv:1804.03209): a folder a word, one-second clips, background noise.

The splits are the lists ``validation_list.txt`` and ``testing_list.txt`` where they lie in the folder, otherwise the
hash rule of the data set's README. Classes are the keywords, then ``_silence_`` and ``_unknown_``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from tinyml.data.audio import fit_length
from tinyml.data.base import AUDIO, SPLITS, TEST, TRAIN, VALIDATION, Dataset, Sample
from tinyml.data.silence import load_noise, silence_samples
from tinyml.data.stores import SILENCE_PACK, ClipStore, PackedClips, open_clips, packed_clips
from tinyml.errors import UsageError

OFFICIAL_WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
SILENCE, UNKNOWN, NOISE = "_silence_", "_unknown_", "_background_noise_"
LAYOUT = "speech_commands"
ENOUGH_SHARE = 0.2
_MAX_PER_CLASS = 2**27 - 1

Clips = Mapping[str, Mapping[str, Sequence[str]]]
"""Clip names of each word of each split."""


@dataclass(frozen=True)
class SpeechOptions:
    """Choices for a keyword data set.

    ``words``: the keywords; by default those of the official ten that have at least a fifth of the largest one's
    training clips, or every folder where there is none of the ten. ``exclude``: words left out altogether rather than
    counted as unknown. ``unknown_ratio``: at most so many times a keyword's mean clips; ``silence_ratio``: so many.
    """

    words: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    unknown_ratio: float = 2.0
    silence_ratio: float = 1.0
    sample_rate_hz: int = 16_000
    clip_ms: int = 1_000
    seed: int = 0

    @property
    def clip_samples(self) -> int:
        """Samples of every decoded clip."""
        return self.sample_rate_hz * self.clip_ms // 1000


def which_set(name: str, validation_percent: float = 10.0, testing_percent: float = 10.0) -> str:
    """The split of a clip by the data set's hash rule: one speaker's clips (name before ``_nohash_``) stay together."""
    speaker = re.sub(r"_nohash_.*$", "", PurePosixPath(name).name)
    number = int(hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16) % (_MAX_PER_CLASS + 1)
    percent = number * (100.0 / _MAX_PER_CLASS)
    if percent < validation_percent:
        return VALIDATION
    return TEST if percent < validation_percent + testing_percent else TRAIN


def recognise(folder: Path) -> bool:
    """Whether a folder has this layout: the lists, the noise folder, folders of WAV files, or the packed form."""
    if packed_clips(folder) is not None or (folder / "testing_list.txt").is_file() or (folder / NOISE).is_dir():
        return True
    return any(next(child.glob("*.wav"), None) is not None for child in sorted(folder.iterdir()) if child.is_dir())


def read(folder: Path, options: SpeechOptions | None = None) -> Dataset:
    """The data set of a folder; UsageError where a keyword asked for has no training clips, or none is there at all."""
    chosen = options or SpeechOptions()
    store = open_clips(folder)
    clips = _clips_by_split(store)
    words, left_out, notes = _choose_words(clips, chosen)
    noise = load_noise(store, [name for name in store.names if _word(name) == NOISE], chosen.sample_rate_hz)
    if not noise:
        notes.append(f"no clips in {NOISE}: silence is made of soft white noise")
    test_silence = _test_silence(folder, store)
    splits = {}
    for split in SPLITS:
        samples = []
        for label, word in enumerate(words):
            samples += [_sample(store, name, label, chosen) for name in clips[split].get(word, ())]
        mean = len(samples) / len(words)
        if split == TEST and test_silence is not None:
            samples += [_sample(test_silence[0], name, len(words), chosen) for name in test_silence[1]]
        else:
            count = round(mean * chosen.silence_ratio)
            samples += silence_samples(noise, split, count, len(words), chosen.clip_samples, chosen.seed)
        limit = round(mean * chosen.unknown_ratio)
        samples += _unknown_samples(store, clips[split], {*words, *left_out}, limit, len(words) + 1, chosen)
        splits[split] = tuple(samples)
    return Dataset(
        LAYOUT,
        AUDIO,
        (*words, SILENCE, UNKNOWN),
        splits,
        tuple(notes),
        chosen.sample_rate_hz,
        chosen.clip_samples,
        tuple(part[: int(0.8 * len(part))] for part in noise),
    )


def words_alone(dataset: Dataset) -> Dataset:
    """The data set without silence and unknown words: its classes are the keywords."""
    kept = [label for label, name in enumerate(dataset.classes) if name not in (SILENCE, UNKNOWN)]
    splits = {
        split: tuple(replace(sample, label=kept.index(sample.label)) for sample in samples if sample.label in kept)
        for split, samples in dataset.splits.items()
    }
    return replace(dataset, classes=tuple(dataset.classes[label] for label in kept), splits=splits)


def _word(name: str) -> str:
    return PurePosixPath(name).parent.name


def _clips_by_split(store: ClipStore) -> dict[str, dict[str, list[str]]]:
    """Names of the clips of each word of each split."""
    split_of = _split_rule(store)
    clips: dict[str, dict[str, list[str]]] = {split: {} for split in SPLITS}
    for name in store.names:
        word = _word(name)
        if word and not word.startswith("_"):
            clips[split_of(name)].setdefault(word, []).append(name)
    return clips


def _split_rule(store: ClipStore) -> Callable[[str], str]:
    """By the lists where both are there, by the hash rule otherwise."""
    texts = store.texts
    if not {"validation_list.txt", "testing_list.txt"} <= set(texts):
        return which_set
    listed = {line.strip(): VALIDATION for line in texts["validation_list.txt"].splitlines()}
    listed |= {line.strip(): TEST for line in texts["testing_list.txt"].splitlines()}
    return lambda name: listed.get("/".join(PurePosixPath(name).parts[-2:]), TRAIN)


def _choose_words(clips: Clips, options: SpeechOptions) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """The keywords, the words that are left out altogether, and what to tell the user about it."""
    train = clips[TRAIN]
    if options.words:
        twice = next((word for word in options.words if options.words.count(word) > 1), None)
        if twice is not None:
            raise UsageError(f"the word {twice!r} is given twice", hint="each word is one output of the network")
        absent = [word for word in options.words if not train.get(word)]
        if absent:
            raise UsageError(
                f"no training clips of the word {absent[0]!r}",
                hint="words here are " + ", ".join(sorted(train)[:40]) if train else "there are no clips at all",
            )
        return options.words, options.exclude, []
    most = max((len(train.get(word, ())) for word in OFFICIAL_WORDS), default=0)
    if not most:
        words = tuple(word for word in sorted(train) if word not in options.exclude)
        if not words:
            raise UsageError("no clips in word folders", hint="each word has a folder of its WAV files")
        return words, options.exclude, [f"none of the ten official words: all {len(words)} folders are keywords"]
    enough = tuple(
        w for w in OFFICIAL_WORDS if len(train.get(w, ())) >= ENOUGH_SHARE * most and w not in options.exclude
    )
    few = tuple(word for word in OFFICIAL_WORDS if word not in enough and word not in options.exclude)
    notes = []
    if few:
        numbers = ", ".join(f"{word} {len(train.get(word, ()))}" for word in few)
        notes.append(f"left out for want of training clips ({numbers}; the most is {most}); --words would take them")
    return enough, (*options.exclude, *few), notes


def _sample(store: ClipStore, name: str, label: int, options: SpeechOptions) -> Sample:
    def decode() -> NDArray[np.int16]:
        return fit_length(store.clip(name, options.sample_rate_hz), options.clip_samples)

    return Sample(name, label, decode)


def _test_silence(folder: Path, store: ClipStore) -> tuple[ClipStore, list[str]] | None:
    """The silence clips of the official test set, in a ``_silence_`` folder or packed beside the words."""
    source = PackedClips.load(folder / SILENCE_PACK) if (folder / SILENCE_PACK).is_file() else store
    names = [name for name in source.names if _word(name) == SILENCE]
    return (source, names) if names else None


def _pick(names: Sequence[str], limit: int, seed: int) -> list[str]:
    """At most ``limit`` names, drawn by the seed."""
    if len(names) <= limit:
        return list(names)
    order = np.random.default_rng(seed).permutation(len(names))[: max(limit, 0)]
    return [names[index] for index in sorted(order)]


def _unknown_samples(
    store: ClipStore,
    words: Mapping[str, Sequence[str]],
    known: set[str],
    limit: int,
    label: int,
    options: SpeechOptions,
) -> list[Sample]:
    names = [name for word in sorted(words) if word not in known for name in words[word]]
    return [_sample(store, name, label, options) for name in _pick(names, limit, options.seed)]
