"""Data sets as sharded TFRecords, as :mod:`tinyml.data.write_records` writes them.

    records.json                          the manifest: layout, classes, sample rate, notes; each shard with its SHA-256
    train-00000-of-00008.tfrecord         every eighth training sample; validation, test and noise alike
    train-00000-of-00008.index.json       names, labels, places and sizes of the shard's records

The index lets one record be read without those before it, and names a record that is damaged. A record is a
``tf.train.Example`` with ``name``, ``label``, ``class/text`` and either ``audio/samples`` (int16, little-endian) or
``image/encoded``: a picture file's own bytes, or pixels as they are where ``image/format`` is ``raw``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import AUDIO, IMAGE, SPLITS, TRAIN, CorruptSampleError, Dataset, Sample
from tinyml.data.pictures import decode_picture
from tinyml.data.tfrecord import Features, decode_example, read_record
from tinyml.errors import UsageError

LAYOUT = "records"
MANIFEST = "records.json"
FORMAT = 1
NOISE_PART = "noise"
PARTS = (*SPLITS, NOISE_PART)


@dataclass(frozen=True)
class Worker:
    """One of ``count`` workers that read a data set together, from 0."""

    index: int
    count: int


@dataclass(frozen=True)
class Shard:
    """One shard: its file and, for each record, name, label, place and size in bytes."""

    path: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    def sample(self, row: int) -> Sample:
        """The sample of a record."""
        return Sample(
            self.names[row],
            self.labels[row],
            lambda: decode_value(self.features(row)),
            lambda: encoded_picture(self.features(row)),
        )

    def features(self, row: int) -> Features:
        """The features of a record; CorruptSampleError where it is damaged."""
        return decode_example(read_record(self.path, self.offsets[row], self.sizes[row]))


def recognise(folder: Path) -> bool:
    """Whether a folder has the manifest."""
    return (folder / MANIFEST).is_file()


def read(folder: Path, words: Sequence[str] = (), worker: Worker | None = None) -> Dataset:
    """The data set of a folder, in the order in which it was written, with the layout that it had before.

    A ``worker`` gets the training samples of its own shards alone: each ``count``-th one from its ``index`` on.

    Raises:
        UsageError: the manifest, an index or a shard is missing or damaged, other ``words`` are asked for than the
            records hold, or there are fewer training shards than workers.
    """
    manifest = load_manifest(folder)
    shards = {part: [_shard(folder, entry) for entry in manifest["shards"].get(part, [])] for part in PARTS}
    if worker is not None:
        if len(shards[TRAIN]) < worker.count:
            raise UsageError(
                f"{folder} has {len(shards[TRAIN])} training shards for {worker.count} workers",
                hint=f"write it again with --shards {worker.count} or more",
            )
        shards[TRAIN] = shards[TRAIN][worker.index :: worker.count]
    classes = tuple(str(name) for name in manifest["classes"])
    order = _class_order(classes, words, folder)
    rank = [order.index(name) for name in classes]
    splits = {split: tuple(_relabelled(item, rank) for item in _in_order(shards[split])) for split in SPLITS}
    return Dataset(
        layout=str(manifest["layout"]),
        kind=str(manifest["kind"]),
        classes=order,
        splits=splits,
        notes=(*(str(note) for note in manifest["notes"]), *_left_out(manifest)),
        sample_rate_hz=int(manifest["sample_rate_hz"]),
        clip_samples=int(manifest["clip_samples"]),
        noise=_noise(shards[NOISE_PART]),
    )


def load_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; UsageError where it is damaged or of another format."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}", hint="write the records again") from None
    known = {"format": int, "layout": str, "kind": str, "classes": list, "notes": list, "shards": dict}
    known |= {"sample_rate_hz": int, "clip_samples": int, "left_out": list}
    if not isinstance(manifest, dict) or any(not isinstance(manifest.get(key), of) for key, of in known.items()):
        raise UsageError(f"{path} is no manifest of records", hint="`tinyml data records` writes one")
    if manifest["format"] != FORMAT or manifest["kind"] not in (AUDIO, IMAGE):
        raise UsageError(
            f"{path} has the format {manifest['format']}, {FORMAT} is known", hint="write the records again"
        )
    return manifest


def decode_value(features: Features) -> NDArray[Any]:
    """int16 samples of a clip or uint8 pixels of a picture; CorruptSampleError where the features hold neither."""
    samples = features.get("audio/samples")
    if isinstance(samples, bytes) and len(samples) % 2 == 0:
        return np.frombuffer(samples, "<i2").astype(np.int16)
    content, shape = features.get("image/encoded"), features.get("image/shape")
    if not isinstance(content, bytes):
        raise CorruptSampleError("the record holds no clip and no picture")
    if features.get("image/format") != b"raw":
        return decode_picture(content)
    if not isinstance(shape, tuple) or len(shape) != 3 or min(shape) < 1 or int(np.prod(shape)) != len(content):
        raise CorruptSampleError(f"the record's picture has {len(content)} bytes for the shape {shape!r}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def encoded_picture(features: Features) -> bytes | None:
    """The picture file that a record holds, or None where it holds a clip or bare pixels."""
    content = features.get("image/encoded")
    return content if isinstance(content, bytes) and features.get("image/format") != b"raw" else None


def _shard(folder: Path, entry: Any) -> Shard:
    """A shard with its index; UsageError where one of them is missing or the index is not the one that was written."""
    try:
        path, told, bytes_ = folder / str(entry["file"]), str(entry["index_sha256"]), int(entry["bytes"])
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{folder / MANIFEST} tells of a shard without its facts", hint="write it again") from None
    index = path.with_suffix(".index.json")
    try:
        content = index.read_bytes()
        size = path.stat().st_size
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}", hint="copy all of the shards") from None
    if hashlib.sha256(content).hexdigest() != told:
        raise UsageError(f"{index} is damaged: its checksum is not the manifest's", hint="copy it again")
    if size > bytes_:
        raise UsageError(f"{path} has {size:,} bytes, the manifest says {bytes_:,}", hint="copy it again")
    table = json.loads(content)
    return Shard(path, *(tuple(table[key]) for key in ("names", "labels", "offsets", "sizes")))


def _in_order(shards: Sequence[Shard]) -> list[Sample]:
    """The samples of some shards as they were dealt out, one a shard in turn."""
    rounds = max((len(shard.names) for shard in shards), default=0)
    return [shard.sample(row) for row in range(rounds) for shard in shards if row < len(shard.names)]


def _relabelled(sample: Sample, rank: Sequence[int]) -> Sample:
    return replace(sample, label=rank[sample.label])


def _class_order(classes: tuple[str, ...], words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The classes with the words in the order asked for; UsageError where the records hold other words."""
    held = tuple(name for name in classes if not name.startswith("_"))
    if not words or held == classes:
        return classes
    if set(words) != set(held):
        raise UsageError(
            f"{folder} holds records of the words {', '.join(held)}, not {', '.join(words)}",
            hint=f"write them anew: tinyml data records FOLDER --words {','.join(words)}",
        )
    return (*words, *(name for name in classes if name.startswith("_")))


def _noise(shards: Sequence[Shard]) -> tuple[NDArray[np.int16], ...]:
    """The stretches of noise that can be read."""
    noise = []
    for sample in _in_order(shards):
        try:
            noise.append(np.asarray(sample.decode(), np.int16))
        except CorruptSampleError:
            continue
    return tuple(noise)


def _left_out(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    left = manifest["left_out"]
    return (f"{len(left)} damaged samples were left out of the records, first {left[0]['name']}",) if left else ()
