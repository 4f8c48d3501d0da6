"""Integer image preprocessing: unpack, crop, resize, colour to grey, int8; C on the board repeats it bit for bit.

Resizing weighs source pixels by exact rational weights: the sums are integers (uint32) and the one division at the end
rounds half up, so that there is no rounding error to agree on between the two passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import UsageError
from tinyml.features.config import MANIFEST_KEYS

MAX_SIDE = 2048


@dataclass(frozen=True)
class ImageConfig:
    """What a model's image input looks like: ``size`` pixels square, 3 channels (RGB) or 1 (grey), int8 = pixel - 128.

    The model sees ``input_scale * (q - input_zero_point)``, by default the pixel divided by 255.
    """

    size: int = 96
    channels: int = 3
    input_scale: float = 1.0 / 255.0
    input_zero_point: int = -128

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_SIDE:
            raise UsageError(f"image definition: size is {self.size}, not 1 to {MAX_SIDE}")
        if self.channels not in (1, 3):
            raise UsageError(f"image definition: channels is {self.channels}, not 1 or 3")

    def process(self, image: NDArray[np.uint8]) -> NDArray[np.int8]:
        """int8 ``[size, size, channels]`` of a uint8 RGB image, as :func:`process` makes it."""
        return process(image, self.size, channels=self.channels)

    def to_json(self) -> dict[str, Any]:
        """The definition as a plain JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ImageConfig:
        """The definition from a JSON object as :meth:`to_json` gives it; UsageError for an unknown key."""
        values = {key: value for key, value in data.items() if key not in MANIFEST_KEYS}
        unknown = sorted(set(values) - {item.name for item in fields(cls)})
        if unknown:
            raise UsageError(f"image definition: unknown key {unknown[0]!r}")
        return cls(**values)


def process(image: NDArray[np.uint8], size: int, *, channels: int = 3) -> NDArray[np.int8]:
    """int8 ``[size, size, channels]`` of a uint8 image ``[height, width, 3 or 1]``: centre crop, resize, grey if asked.

    A crop at least as large as ``size`` is averaged over areas, a smaller one is interpolated linearly.
    UsageError for another dtype or shape, or sides beyond 2,048.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise UsageError(f"an image is uint8 [height, width, 3 or 1], got {image.dtype} {list(image.shape)}")
    if min(image.shape[:2]) < 1 or max(image.shape[:2]) > MAX_SIDE or not 1 <= size <= MAX_SIDE:
        raise UsageError(
            f"cannot resize {image.shape[1]} x {image.shape[0]} to {size} x {size}: sides are 1 to {MAX_SIDE} pixels"
        )
    square = crop_centre(image)
    resized = resize_area(square, size) if square.shape[0] >= size else resize_bilinear(square, size)
    if channels == 1 and resized.shape[2] == 3:
        resized = rgb_to_grey(resized)
    elif channels == 3 and resized.shape[2] == 1:
        resized = np.repeat(resized, 3, axis=2)
    return (resized.astype(np.int16) - 128).astype(np.int8)


def crop_centre(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest centred square of ``[height, width, channels]``; of an odd margin the extra row or column ends it."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def rgb_to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma ``(77 R + 150 G + 29 B + 128) >> 8``, the weights of ITU-R BT.601 in 8 bits; ``[height, width, 1]``."""
    wide = image.astype(np.int32)
    grey = (77 * wide[..., 0] + 150 * wide[..., 1] + 29 * wide[..., 2] + 128) >> 8
    return grey.astype(np.uint8)[..., np.newaxis]


def unpack_rgb565(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """uint8 ``[height, width, 3]`` of uint16 RGB565 ``[height, width]``, red highest; the high bits repeat below."""
    wide = pixels.astype(np.int32)
    red, green, blue = wide >> 11, (wide >> 5) & 63, wide & 31
    channels = ((red << 3) | (red >> 2), (green << 2) | (green >> 4), (blue << 3) | (blue >> 2))
    return np.stack(channels, axis=-1).astype(np.uint8)


def _area_weights(source: int, target: int) -> NDArray[np.int64]:
    """``[target, source]`` overlaps of output and input pixels, in 1/target of a pixel; rows sum to ``source``."""
    low = np.arange(target)[:, np.newaxis] * source
    start = np.arange(source)[np.newaxis] * target
    overlap = np.minimum(low + source, start + target) - np.maximum(low, start)
    weights: NDArray[np.int64] = np.maximum(overlap, 0).astype(np.int64)
    return weights


def _linear_weights(source: int, target: int) -> NDArray[np.int64]:
    """``[target, source]`` linear weights between pixel centres, edges repeated; rows sum to ``2 * target``."""
    position = np.clip((2 * np.arange(target) + 1) * source - target, 0, 2 * target * (source - 1))
    index, fraction = position // (2 * target), position % (2 * target)
    weights = np.zeros((target, source), dtype=np.int64)
    rows = np.arange(target)
    weights[rows, index] += 2 * target - fraction
    weights[rows, np.minimum(index + 1, source - 1)] += fraction
    return weights


def _resample(image: NDArray[np.uint8], weights: NDArray[np.int64], total: int) -> NDArray[np.uint8]:
    # Products in float64 are exact here, every sum staying below 2**53, and they use BLAS where integers would not.
    factors = weights.astype(np.float64)
    rows = np.tensordot(factors, image.astype(np.float64), axes=(1, 0))
    sums = np.moveaxis(np.tensordot(factors, rows, axes=(1, 1)), 0, 1).astype(np.int64)
    area = total * total
    return ((sums + area // 2) // area).astype(np.uint8)


def resize_area(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Shrink ``[S, S, channels]`` to ``[size, size, channels]`` by averaging areas: ``(sum + S*S/2) / (S*S)``."""
    side = image.shape[0]
    return image if side == size else _resample(image, _area_weights(side, size), side)


def resize_bilinear(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Enlarge ``[S, S, channels]`` to ``[size, size, channels]``, linearly between the centres of pixels.

    Weights are in units of ``1 / (2 * size)``.
    """
    return _resample(image, _linear_weights(image.shape[0], size), 2 * size)
