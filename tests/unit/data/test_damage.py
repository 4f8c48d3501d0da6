"""Flipped, cut and overwritten bytes in every format: a named error or a skipped sample, never another exception."""

from __future__ import annotations

import io
import random
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.unit.data.makers import cifar10, mnist, pack_clips, picture_bytes, pictures, tone, wav_bytes, write
from tinyml.data import open_dataset
from tinyml.data.audio import decode_wav
from tinyml.data.base import CorruptSampleError
from tinyml.data.pictures import decode_picture
from tinyml.errors import UsageError

MUTATIONS = 60


def mutated(data: bytes, seed: int) -> bytes:
    """The bytes with a few flipped, a stretch overwritten, or the end cut off; mostly near the headers."""
    source = random.Random(seed)
    changed = bytearray(data)
    kind = source.randrange(3)
    reach = len(data) if source.random() < 0.5 else min(len(data), 200)
    if kind == 0:
        for _ in range(source.randint(1, 8)):
            changed[source.randrange(reach)] ^= 1 << source.randrange(8)
    elif kind == 1:
        start = source.randrange(reach)
        for place in range(start, min(len(changed), start + source.randint(1, 12))):
            changed[place] = source.choice((0, 255, source.randrange(256)))
    else:
        del changed[source.randrange(len(changed)) :]
    return bytes(changed)


@pytest.mark.parametrize("kind", ["wav", "png", "jpeg"])
def test_samples(kind: str) -> None:
    whole = wav_bytes(tone(1, 2_000)) if kind == "wav" else picture_bytes(1, 30, 40, kind.upper())
    refused = 0
    for seed in range(5 * MUTATIONS):
        data = mutated(whole, seed)
        try:
            if kind == "wav":
                rate_hz, samples = decode_wav(data)
                assert rate_hz > 0 and samples.dtype == np.int16 and samples.ndim == 1 and len(samples)
            else:
                pixels = decode_picture(data)
                assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        except CorruptSampleError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("kind", ["cifar10", "mnist", "clips", "tar"])
def test_data_sets(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    if kind == "cifar10":
        path = cifar10(folder, 20, 10) / "cifar-10-batches-py" / "data_batch_1"
    elif kind == "mnist":
        path = mnist(folder, 20, 10) / "train-images-idx3-ubyte.gz"
    elif kind == "clips":
        path = pack_clips(folder / "speech.npz", {f"yes/{index}.wav": tone(index, 300) for index in range(6)}, {})
    else:
        inner = pictures(tmp_path / "inner", {"train/cat": 3, "train/dog": 3, "val/cat": 1, "test/dog": 1})
        path = folder / "set.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(inner, ".")
    whole = path.read_bytes()
    layout = {"clips": "speech_commands", "tar": "image_folder"}.get(kind, kind)
    refused = 0
    for seed in range(MUTATIONS):
        write(path, mutated(whole, seed))
        try:
            open_dataset(folder, layout).decode("train")
        except UsageError:
            refused += 1
    assert refused > MUTATIONS // 4
    shutil.rmtree(folder)


def test_reasons_read_as_sentences_without_addresses() -> None:
    for decode, data, reason in (
        (decode_picture, b"no picture at all", "is not a picture in any known format"),
        (decode_picture, picture_bytes(1)[:60], "is not a readable picture (image file is truncated)"),
        (decode_wav, b"RIFF, but no sound", "is not a readable sound file (Format not recognised)"),
    ):
        with pytest.raises(CorruptSampleError) as caught:
            decode(data)
        assert str(caught.value) == reason


def test_grey_of_sixteen_bits_keeps_its_upper_eight() -> None:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.array([[0, 0x00FF, 0x8000, 0xFFFF]], np.uint16)).save(stream, "PNG")
    assert decode_picture(stream.getvalue()).tolist() == [[[0] * 3, [0] * 3, [128] * 3, [255] * 3]]
