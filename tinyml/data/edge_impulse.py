"""Exports of Edge Impulse projects: ``info.labels`` and the samples it names, sounds or pictures.

::

    {"version": 1, "files": [{"path": "training/yes.2hv3.wav", "name": "yes.2hv3", "category": "training",
                              "label": {"type": "label", "label": "yes"}}, …]}

Sounds are WAV files or Edge Impulse's own acquisition format as JSON or CBOR (:mod:`tinyml.data.acquisition`); the
labels ``noise``, ``silence``, ``background`` mean silence and ``unknown`` other words, as in Speech Commands. Samples
of the category ``split`` are for testing or training by the hash of their name; a tenth of the rest is for validation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.data.acquisition import SUFFIXES as ACQUISITION_SUFFIXES
from tinyml.data.acquisition import decode_acquisition
from tinyml.data.audio import decode_wav, fit_length, resample
from tinyml.data.base import AUDIO, IMAGE, SPLITS, TEST, TRAIN, VALIDATION, CorruptSampleError, Dataset, Sample
from tinyml.data.base import hash_split as split_by_name
from tinyml.data.pictures import SUFFIXES as PICTURE_SUFFIXES
from tinyml.data.pictures import picture_sample
from tinyml.data.silence import silence_samples
from tinyml.data.speech_commands import SILENCE, UNKNOWN, SpeechOptions
from tinyml.data.stores import FolderFiles
from tinyml.errors import UsageError

AUDIO_LAYOUT, IMAGE_LAYOUT = "edge_impulse_audio", "edge_impulse_images"
INFO = "info.labels"
_SOUND_SUFFIXES = (".wav", *ACQUISITION_SUFFIXES)
_CATEGORIES = {"training": TRAIN, "testing": TEST, "validation": VALIDATION, "split": ""}
_QUIET = {"noise", "_noise", "silence", "background", SILENCE}
_OTHER = {"unknown", "_unknown", "other", UNKNOWN}


@dataclass(frozen=True)
class Entry:
    """One file that ``info.labels`` names: its path within the folder, its split and its label."""

    path: str
    split: str
    label: str


def recognise_audio(folder: Path) -> bool:
    """Whether there is an ``info.labels`` that names sounds."""
    return _kind(folder) == AUDIO


def recognise_images(folder: Path) -> bool:
    """Whether there is an ``info.labels`` that names pictures."""
    return _kind(folder) == IMAGE


def read_images(folder: Path) -> Dataset:
    """The pictures of an export; UsageError where ``info.labels`` is damaged or a split is empty."""
    entries, notes = _entries(folder, PICTURE_SUFFIXES)
    classes = tuple(sorted({entry.label for entry in entries}))
    store = FolderFiles(folder, PICTURE_SUFFIXES, tuple(entry.path for entry in entries))
    splits = {
        split: tuple(
            picture_sample(store, entry.path, classes.index(entry.label)) for entry in entries if entry.split == split
        )
        for split in SPLITS
    }
    return Dataset(IMAGE_LAYOUT, IMAGE, classes, _filled(folder, splits), tuple(notes))


def read_audio(folder: Path, options: SpeechOptions | None = None) -> Dataset:
    """The sounds of an export as keywords, silence and unknown words, all of one length and rate.

    Raises UsageError where ``info.labels`` is damaged, a keyword asked for is missing or a split is empty.
    """
    chosen = options or SpeechOptions()
    entries, notes = _entries(folder, _SOUND_SUFFIXES)
    store = FolderFiles(folder, _SOUND_SUFFIXES, tuple(entry.path for entry in entries))
    _require_sound(store)
    found = tuple(sorted({entry.label for entry in entries} - _QUIET - _OTHER - set(chosen.exclude)))
    absent = [word for word in chosen.words if word not in found]
    words = chosen.words or found
    if absent or not words:
        missing = f"no samples of the word {absent[0]!r}" if absent else "no samples of keywords"
        raise UsageError(f"{folder} has {missing}", hint="labels here are " + ", ".join(found))
    noise = _noise(store, entries, chosen.sample_rate_hz)
    splits = {}
    for split in SPLITS:
        here = [entry for entry in entries if entry.split == split and entry.label not in chosen.exclude]
        samples = [_sound_sample(store, entry, _label_number(entry.label, words), chosen) for entry in here]
        if samples and not any(entry.label in _QUIET for entry in here):
            count = round(len(samples) / (len(words) + 1) * chosen.silence_ratio)
            samples += silence_samples(noise, split, count, len(words), chosen.clip_samples, chosen.seed)
        splits[split] = tuple(samples)
    if not noise:
        notes.append("no samples of noise: silence is made of soft white noise")
    return Dataset(
        AUDIO_LAYOUT,
        AUDIO,
        (*words, SILENCE, UNKNOWN),
        _filled(folder, splits),
        tuple(notes),
        chosen.sample_rate_hz,
        chosen.clip_samples,
        noise,
    )


def decode_sound(name: str, data: bytes) -> tuple[int, NDArray[np.int16]]:
    """Sample rate in Hz and int16 samples of a WAV, JSON or CBOR file; CorruptSampleError where it is damaged."""
    if PurePosixPath(name).suffix.lower() in ACQUISITION_SUFFIXES:
        return decode_acquisition(name, data).sound()
    return decode_wav(data)


def _info_files(folder: Path) -> list[Path]:
    """The one of the export, or those of its parts."""
    whole = folder / INFO
    return [whole] if whole.is_file() else sorted(folder.glob(f"*/{INFO}"))


def _kind(folder: Path) -> str | None:
    """Sounds or pictures, whichever ``info.labels`` names more of; None where there is none."""
    files = _info_files(folder)
    if not files:
        return None
    suffixes = [PurePosixPath(str(item.get("path", ""))).suffix.lower() for path in files for item in _files_in(path)]
    sounds = sum(suffix in _SOUND_SUFFIXES for suffix in suffixes)
    pictures = sum(suffix in PICTURE_SUFFIXES for suffix in suffixes)
    return IMAGE if pictures > sounds else AUDIO


def _files_in(path: Path) -> list[Mapping[str, Any]]:
    """The entries of one ``info.labels``; UsageError where it has another structure."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}", hint="export the project again") from None
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, list) or not all(isinstance(item, dict) for item in files):
        raise UsageError(f"{path} has no list of files", hint="export the project again")
    version = content.get("version", 1)
    if version != 1:
        raise UsageError(f"{path} has version {version!r}, 1 is known")
    return files


def _entries(folder: Path, suffixes: tuple[str, ...]) -> tuple[list[Entry], list[str]]:
    """The labelled samples of one kind, in the order of their paths, and notes on what was left out."""
    entries: list[Entry] = []
    left_out: dict[str, int] = {}
    for info in _info_files(folder):
        for item in _files_in(info):
            path = str(item.get("path", ""))
            if not _stays_inside(path):
                raise UsageError(f"{info} names {path!r}, a file outside its folder", hint="export the project again")
            label = _label(item)
            reason = None
            if PurePosixPath(path).suffix.lower() not in suffixes:
                reason = "of another kind"
            elif label is None:
                reason = "without one label"
            if reason is not None or label is None:
                left_out[str(reason)] = left_out.get(str(reason), 0) + 1
                continue
            place = (info.parent / path).relative_to(folder).as_posix()
            entries.append(Entry(place, _split(str(item.get("category", "split")), place, info), label))
    if not entries:
        raise UsageError(f"{folder}: {INFO} names no labelled samples", hint="label them, and export the project again")
    return sorted(entries, key=lambda entry: entry.path), [
        f"{count} samples {reason} were left out" for reason, count in sorted(left_out.items())
    ]


def _stays_inside(path: str) -> bool:
    return bool(path) and not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _split(category: str, path: str, info: Path) -> str:
    if category not in _CATEGORIES:
        raise UsageError(f"{info}: {path} has the category {category!r}", hint="there are " + ", ".join(_CATEGORIES))
    split = _CATEGORIES[category]
    if split in (TEST, VALIDATION):
        return split
    return split_by_name(path, 10.0, 0.0 if split else 20.0)


def _label(item: Mapping[str, Any]) -> str | None:
    """The label of an entry; None where it has none or several. All of an object detector's boxes may agree."""
    label = item.get("label")
    if isinstance(label, Mapping):
        label = label.get("label") if label.get("type") == "label" else None
    if isinstance(label, str) and label:
        return label
    boxes = item.get("boundingBoxes")
    named = {str(box.get("label")) for box in boxes if isinstance(box, Mapping)} if isinstance(boxes, list) else set()
    return named.pop() if len(named) == 1 else None


def _label_number(label: str, words: tuple[str, ...]) -> int:
    if label in words:
        return words.index(label)
    return len(words) if label in _QUIET else len(words) + 1


def _sound_sample(store: FolderFiles, entry: Entry, label: int, options: SpeechOptions) -> Sample:
    def decode() -> NDArray[np.int16]:
        return fit_length(_sound(store, entry.path, options.sample_rate_hz), options.clip_samples)

    return Sample(entry.path, label, decode)


def _sound(store: FolderFiles, path: str, rate_hz: int) -> NDArray[np.int16]:
    own_hz, samples = decode_sound(path, store.read(path))
    return resample(samples, own_hz, rate_hz)


def _noise(store: FolderFiles, entries: Iterable[Entry], rate_hz: int) -> tuple[NDArray[np.int16], ...]:
    """The training samples of noise, whole; damaged ones are named where they are decoded as samples."""
    noise = []
    for entry in entries:
        if entry.split == TRAIN and entry.label in _QUIET:
            try:
                noise.append(_sound(store, entry.path, rate_hz))
            except CorruptSampleError:
                continue
    return tuple(noise)


def _require_sound(store: FolderFiles) -> None:
    """UsageError where the first readable acquisition is of other sensors, such as an accelerometer."""
    for name in store.names:
        if PurePosixPath(name).suffix.lower() not in ACQUISITION_SUFFIXES:
            return
        try:
            first = decode_acquisition(name, store.read(name))
        except CorruptSampleError:
            continue
        if not first.is_audio:
            raise UsageError(
                f"{name} holds {', '.join(first.sensors)} every {first.interval_ms:g} ms, not sound",
                hint="sounds and pictures are read; other sensors are not",
            )
        return


def _filled(folder: Path, splits: Mapping[str, tuple[Sample, ...]]) -> Mapping[str, tuple[Sample, ...]]:
    empty = [split for split in SPLITS if not splits[split]]
    if empty:
        raise UsageError(
            f"{folder} has no samples for {empty[0]}",
            hint="export training and testing data; a tenth of the training samples is taken for validation",
        )
    return splits
