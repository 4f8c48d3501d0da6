"""Decodes pictures with Pillow, and makes samples of them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import CorruptSampleError, Sample
from tinyml.data.stores import FileStore
from tinyml.errors import UsageError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp")
MAX_PIXELS = 64_000_000


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """uint8 RGB ``[height, width, 3]`` of an image file's bytes.

    Raises CorruptSampleError where they are damaged, UsageError where Pillow is not installed.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise UsageError("reading pictures needs Pillow", hint="pip install 'tinyml[train]'") from None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise CorruptSampleError(f"has {picture.width} x {picture.height} pixels, more than {MAX_PIXELS:,}")
            if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow would clip at 255
                grey = (np.clip(np.asarray(picture).astype(np.int64), 0, 65_535) >> 8).astype(np.uint8)
                return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
            return np.asarray(picture.convert("RGB"), dtype=np.uint8)
    except UnidentifiedImageError:
        raise CorruptSampleError("is not a picture in any known format") from None
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise CorruptSampleError(f"is not a readable picture ({error})") from None


def picture_sample(store: FileStore, name: str, label: int) -> Sample:
    """The sample of one picture file."""

    def decode() -> NDArray[np.uint8]:
        return decode_picture(store.read(name))

    return Sample(name, label, decode, lambda: store.read(name))
