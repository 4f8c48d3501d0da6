"""Small data sets in the official layouts, written by the tests."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import pickle
import struct
import wave
from pathlib import Path

import numpy as np


def wav_bytes(samples: np.ndarray, rate_hz: int = 16_000) -> bytes:
    """A 16-bit WAV file of samples ``[samples]`` or ``[samples, channels]``."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def tone(seed: int, samples: int = 16_000) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3_000, 3_000, samples).astype(np.int16)


def speech_commands(folder: Path, counts: dict[str, tuple[int, int, int]], *, lists: bool = True) -> Path:
    """Word folders with so many training, validation and test clips, two noise recordings, and the lists."""
    listed: dict[str, list[str]] = {"validation": [], "testing": []}
    seed = 0
    for word, numbers in counts.items():
        for split, number in zip(("training", "validation", "testing"), numbers, strict=True):
            for _ in range(number):
                seed += 1
                name = f"{word}/{seed:08x}_nohash_0.wav"
                write(folder / name, wav_bytes(tone(seed)))
                if split != "training":
                    listed[split].append(name)
    for index in range(2):
        write(folder / "_background_noise_" / f"noise{index}.wav", wav_bytes(tone(1_000 + index, 200_000)))
    if lists:
        for split, names in listed.items():
            (folder / f"{split}_list.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return folder


def pack_clips(path: Path, clips: dict[str, np.ndarray], texts: dict[str, str], rate_hz: int = 16_000) -> Path:
    """The packed form of clips: zig-zag coded first differences, high bytes then low bytes, xz-compressed."""
    coded = []
    for samples in clips.values():
        steps = np.diff(samples.astype(np.int32), prepend=0).astype(np.int16).astype(np.int32)
        coded.append(((steps << 1) ^ (steps >> 15)).astype(np.uint16))
    joined = np.concatenate(coded)
    raw = np.concatenate(((joined >> 8).astype(np.uint8), (joined & 255).astype(np.uint8)))
    np.savez(
        path,
        names=np.array(list(clips)),
        lengths=np.array([len(samples) for samples in clips.values()]),
        rate=np.array(rate_hz),
        blob=np.frombuffer(lzma.compress(raw.tobytes()), np.uint8),
        extra_names=np.array(list(texts)),
        extra_texts=np.array(list(texts.values())),
    )
    return path


def picture_bytes(seed: int, height: int = 20, width: int = 24, kind: str = "PNG") -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def pictures(folder: Path, counts: dict[str, int]) -> Path:
    """So many pictures in each folder."""
    for place, number in counts.items():
        for index in range(number):
            write(folder / place / f"picture{index:03d}.png", picture_bytes(hash_of(place) + index))
    return folder


def hash_of(text: str) -> int:
    return sum(ord(letter) * 31**index for index, letter in enumerate(text)) % 100_000


def cifar10(folder: Path, train: int, test: int) -> Path:
    """``cifar-10-batches-py`` with one training batch, pickled as the official ones are."""
    place = folder / "cifar-10-batches-py"
    place.mkdir(parents=True)
    for name, count in (("data_batch_1", train), ("test_batch", test)):
        random = np.random.default_rng(count)
        batch = {
            b"batch_label": name.encode(),
            b"labels": [index % 10 for index in range(count)],
            b"data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
            b"filenames": [b"%d.png" % index for index in range(count)],
        }
        (place / name).write_bytes(pickle.dumps(batch, 2))
    return folder


def idx_bytes(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist(folder: Path, train: int, test: int, *, zipped: bool = True) -> Path:
    """The four idx files."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, count in (("train", train), ("t10k", test)):
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in ((f"{stem}-images-idx3-ubyte", images), (f"{stem}-labels-idx1-ubyte", labels)):
            data = idx_bytes(array)
            (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(data) if zipped else data)
    return folder


def tiny_imagenet(folder: Path, ids: dict[str, str], train: int, test: int) -> Path:
    """``tiny-imagenet-200`` with so many pictures a class; ``ids`` gives what each class is called."""
    root = folder / "tiny-imagenet-200"
    lines = []
    seed = 0
    for name in ids:
        for index in range(train):
            seed += 1
            write(root / "train" / name / "images" / f"{name}_{index}.JPEG", picture_bytes(seed, 8, 8, "JPEG"))
        write(root / "train" / name / f"{name}_boxes.txt", b"")
        for _ in range(test):
            seed += 1
            file = f"val_{seed}.JPEG"
            write(root / "val" / "images" / file, picture_bytes(seed, 8, 8, "JPEG"))
            lines.append(f"{file}\t{name}\t0\t32\t44\t62\n")
    write(root / "test" / "images" / "test_0.JPEG", picture_bytes(0, 8, 8, "JPEG"))
    write(root / "val" / "val_annotations.txt", "".join(lines).encode())
    write(root / "wnids.txt", "".join(f"{name}\n" for name in ids).encode())
    write(root / "words.txt", "".join(f"{name}\t{words}\n" for name, words in ids.items()).encode())
    return folder


def acquisition(samples: np.ndarray, rate_hz: float = 16_000, *, nested: bool = False) -> dict[str, object]:
    """Sound in Edge Impulse's data acquisition format."""
    values = [int(value) for value in samples]
    return {
        "protected": {"ver": "v1", "alg": "HS256", "iat": 1_732_182_893},
        "signature": "0" * 64,
        "payload": {
            "device_name": "phone",
            "device_type": "MOBILE_CLIENT",
            "interval_ms": 1000.0 / rate_hz,
            "sensors": [{"name": "audio", "units": "wav"}],
            "values": [[value] for value in values] if nested else values,
        },
    }


def edge_impulse(folder: Path, files: dict[str, tuple[bytes, str]], *, several: bool = False) -> Path:
    """An export: bytes and label of each path; the category is the first folder. ``several``: a list in each folder."""
    entries: dict[str, list[dict[str, object]]] = {}
    for path, (content, label) in files.items():
        category = path.split("/")[0]
        write(folder / path, content)
        entries.setdefault(f"{category}/" if several else "", []).append(
            {
                "path": path.removeprefix(f"{category}/") if several else path,
                "name": path.rpartition("/")[2].partition(".")[0],
                "category": category,
                "label": {"type": "label", "label": label},
            }
        )
    for place, listed in entries.items():
        write(folder / f"{place}info.labels", json.dumps({"version": 1, "files": listed}).encode())
    return folder
