"""Writes a data set as sharded TFRecords: :mod:`tinyml.data.records` says what is in them and reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinyml import __version__
from tinyml.data.base import AUDIO, SPLITS, CorruptSampleError, Dataset, Progress, Sample, Skipped
from tinyml.data.records import FORMAT, MANIFEST, NOISE_PART
from tinyml.data.tfrecord import encode_example, frame
from tinyml.errors import UsageError
from tinyml.files import new_folder

MOST_SHARDS = 512


@dataclass(frozen=True)
class Written:
    """What was written: records and shards of each part, bytes in all, and the samples that are damaged."""

    records: dict[str, int]
    shards: dict[str, int]
    size_bytes: int
    left_out: tuple[Skipped, ...]

    def to_json(self) -> dict[str, Any]:
        """The part of ``tinyml data records --json`` that tells what was written."""
        left = [{"name": item.name, "reason": item.reason} for item in self.left_out]
        return {"records": self.records, "shards": self.shards, "bytes": self.size_bytes, "left_out": left}


def write_records(dataset: Dataset, output: Path, shards: int, progress: Progress | None = None) -> Written:
    """Write every split and the noise of ``dataset`` into the new folder ``output``, each in ``shards`` files or fewer.

    The same data set and number give the same bytes. The folder is there whole or not at all; damaged samples are left
    out and named.

    Raises:
        UsageError: ``output`` is not empty or cannot be written, the disk is full, a split has no sample left.
    """
    if not 1 <= shards <= MOST_SHARDS:
        raise UsageError(f"{shards} shards were asked for, 1 to {MOST_SHARDS} can be written")
    total = sum(len(dataset.samples(split)) for split in SPLITS)
    parts: dict[str, list[Any]] = {}
    left_out: list[Skipped] = []
    done = 0

    def watched(samples: Iterable[Sample]) -> Iterator[Sample]:
        nonlocal done
        for sample in samples:
            yield sample
            done += 1
            if progress is not None:
                progress(done, total)

    noise = tuple(_noise_sample(index, sound) for index, sound in enumerate(dataset.noise))
    with new_folder(output) as work:
        for part in (*SPLITS, NOISE_PART):
            samples = noise if part == NOISE_PART else dataset.samples(part)
            source = samples if part == NOISE_PART else watched(samples)
            count = max(1, min(shards, len(samples)))
            parts[part] = _write_part(work, part, source, count, dataset, left_out) if samples else []
            if part != NOISE_PART and not sum(entry["records"] for entry in parts[part]):
                raise UsageError(f"no {part} sample could be read: {len(samples)} found, all damaged")
        manifest = {
            "format": FORMAT,
            "tinyml_version": __version__,
            "layout": dataset.layout,
            "kind": dataset.kind,
            "classes": list(dataset.classes),
            "sample_rate_hz": dataset.sample_rate_hz,
            "clip_samples": dataset.clip_samples,
            "notes": list(dataset.notes),
            "left_out": [{"name": item.name, "reason": item.reason} for item in left_out],
            "shards": parts,
        }
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Written(
        records={part: sum(entry["records"] for entry in entries) for part, entries in parts.items()},
        shards={part: len(entries) for part, entries in parts.items()},
        size_bytes=sum(entry["bytes"] for entries in parts.values() for entry in entries),
        left_out=tuple(left_out),
    )


@dataclass
class _Shard:
    """A shard that is being written."""

    path: Path
    file: BinaryIO
    digest: Any = field(default_factory=hashlib.sha256)
    table: dict[str, list[Any]] = field(
        default_factory=lambda: {k: [] for k in ("names", "labels", "offsets", "sizes")}
    )
    size_bytes: int = 0

    def add(self, sample: Sample, record: bytes) -> None:
        """Append a record."""
        self.file.write(record)
        self.digest.update(record)
        for key, value in zip(self.table, (sample.name, sample.label, self.size_bytes, len(record)), strict=True):
            self.table[key].append(value)
        self.size_bytes += len(record)

    def finish(self) -> dict[str, Any]:
        """Write the index; gives the manifest's entry."""
        index = (json.dumps(self.table, ensure_ascii=False) + "\n").encode()
        self.path.with_suffix(".index.json").write_bytes(index)
        return {
            "file": self.path.name,
            "records": len(self.table["names"]),
            "bytes": self.size_bytes,
            "sha256": self.digest.hexdigest(),
            "index_sha256": hashlib.sha256(index).hexdigest(),
        }


def _write_part(
    folder: Path, part: str, samples: Iterable[Sample], count: int, dataset: Dataset, left_out: list[Skipped]
) -> list[dict[str, Any]]:
    """Deal the samples that can be decoded out to ``count`` shards; gives the manifest's entries."""
    paths = [folder / f"{part}-{index:05d}-of-{count:05d}.tfrecord" for index in range(count)]
    dealt = 0
    with ExitStack() as stack:
        shards = [_Shard(path, stack.enter_context(path.open("wb"))) for path in paths]
        for sample in samples:
            try:
                record = _record(sample, dataset)
            except CorruptSampleError as error:
                left_out.append(Skipped(sample.name, str(error)))
            else:
                shards[dealt % count].add(sample, record)
                dealt += 1
    return [shard.finish() for shard in shards]


def _record(sample: Sample, dataset: Dataset) -> bytes:
    """A sample as a record; CorruptSampleError where it cannot be decoded."""
    value = sample.decode()
    features: dict[str, bytes | tuple[int, ...]] = {"name": sample.name.encode("utf-8", "surrogateescape")}
    if sample.label >= 0:
        features |= {"label": (sample.label,), "class/text": dataset.classes[sample.label].encode()}
    if dataset.kind == AUDIO:
        features |= {
            "audio/samples": np.asarray(value, "<i2").tobytes(),
            "audio/sample_rate_hz": (dataset.sample_rate_hz,),
        }
    else:
        whole = sample.encoded() if sample.encoded is not None else None
        features |= {
            "image/encoded": np.ascontiguousarray(value, np.uint8).tobytes() if whole is None else whole,
            "image/format": b"raw" if whole is None else b"file",
            "image/shape": tuple(int(side) for side in value.shape),
        }
    return frame(encode_example(features))


def _noise_sample(index: int, sound: NDArray[np.int16]) -> Sample:
    return Sample(f"_noise_/{index:05d}", -1, lambda: sound)
