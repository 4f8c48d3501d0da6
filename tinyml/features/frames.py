"""A camera's frames as bytes: unpacked to pixels, and pictures packed as a sensor would send them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import UsageError
from tinyml.features.image import crop_centre, resize_area, resize_bilinear, rgb_to_grey, unpack_rgb565

PIXEL_BYTES = {"grey": 1, "rgb565": 2}
"""Bytes a pixel of each format; RGB565 comes with the high byte first."""


def unpack_frame(content: bytes, width: int, height: int, pixels: str) -> NDArray[np.uint8]:
    """uint8 ``[height, width, 3]`` of an ``rgb565`` frame, ``[height, width, 1]`` of a ``grey`` one.

    Raises UsageError where ``content`` has another size.
    """
    wanted = width * height * PIXEL_BYTES[pixels]
    if len(content) != wanted:
        raise UsageError(f"a {width} x {height} {pixels} frame has {wanted:,} bytes, not {len(content):,}")
    if pixels == "grey":
        return np.frombuffer(content, np.uint8).reshape(height, width, 1)
    return unpack_rgb565(np.frombuffer(content, ">u2").astype(np.uint16).reshape(height, width))


def pack_frame(image: NDArray[np.uint8], width: int, height: int, pixels: str) -> bytes:
    """The frame in which a sensor sees ``image``, uint8 ``[any height, any width, 3]``: its centred square fills the
    sensor's, which is all that the resizing keeps; what lies beside it is black.
    """
    side = min(width, height)
    square = crop_centre(image)
    scaled = resize_area(square, side) if square.shape[0] >= side else resize_bilinear(square, side)
    frame = np.zeros((height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    frame[top : top + side, left : left + side] = scaled
    if pixels == "grey":
        return rgb_to_grey(frame).tobytes()
    return pack_rgb565(frame).astype(">u2").tobytes()


def pack_rgb565(image: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """uint16 ``[height, width]`` of uint8 ``[height, width, 3]``, each channel rounded to its 5 or 6 bits."""
    wide = image.astype(np.uint32)
    red, blue = (wide[..., 0] * 31 + 127) // 255, (wide[..., 2] * 31 + 127) // 255
    green = (wide[..., 1] * 63 + 127) // 255
    packed: NDArray[np.uint16] = (red << 11 | green << 5 | blue).astype(np.uint16)
    return packed
