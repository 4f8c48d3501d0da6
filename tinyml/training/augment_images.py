"""Augmentation of images, in 8-bit pixels before they become int8 codes: crops, flips, brightness, contrast, colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageAugmentation:
    """How far images are changed.

    ``smallest_crop`` is the least share of the picture's area that a crop keeps, ``aspect`` how far its sides may
    differ; ``light`` and ``colour`` are the largest relative changes of brightness and contrast, and of each channel.
    """

    flip: bool = True
    smallest_crop: float = 0.85
    aspect: float = 0.15
    light: float = 0.2
    colour: float = 0.08


def crop_and_resize(image: Pixels, size: int, rng: np.random.Generator, options: ImageAugmentation) -> Pixels:
    """A random crop of a uint8 (height, width, channels) image, resized to ``size`` square."""
    from PIL import Image

    height, width, channels = image.shape
    share = rng.uniform(options.smallest_crop, 1.0)
    ratio = np.exp(rng.uniform(-options.aspect, options.aspect))
    side = np.sqrt(share) * min(height, width)
    crop_width, crop_height = min(width, side * np.sqrt(ratio)), min(height, side / np.sqrt(ratio))
    left, top = rng.uniform(0, width - crop_width), rng.uniform(0, height - crop_height)
    picture = Image.fromarray(image if channels == 3 else image[..., 0])
    box = (left, top, left + crop_width, top + crop_height)
    resized: Pixels = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=box), dtype=np.uint8)
    return resized.reshape(size, size, channels)


def change_light(images: Pixels, rng: np.random.Generator, options: ImageAugmentation) -> Pixels:
    """Flip, brighten, stretch and tint a batch of uint8 images (n, height, width, channels), each in its own way."""
    count, _, _, channels = images.shape
    out = images.astype(np.float32)
    if options.flip:
        turned = rng.random(count) < 0.5
        out[turned] = out[turned, :, ::-1]
    contrast = rng.uniform(1 - options.light, 1 + options.light, (count, 1, 1, 1)).astype(np.float32)
    brightness = (255 * rng.uniform(-options.light, options.light, (count, 1, 1, 1)) / 2).astype(np.float32)
    tint = rng.uniform(1 - options.colour, 1 + options.colour, (count, 1, 1, channels)).astype(np.float32)
    middle = out.mean(axis=(1, 2, 3), keepdims=True)
    lit = ((out - middle) * contrast + middle + brightness) * tint
    changed: Pixels = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    return changed


def shift_and_flip(images: Pixels, reach: int, flip: bool, rng: np.random.Generator) -> Pixels:
    """Each image of a batch moved by up to ``reach`` pixels over its own repeated edge, and mirrored half the time."""
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    top, left = rng.integers(0, 2 * reach + 1, size=(2, count))
    rows = np.add.outer(top, np.arange(height))
    columns = np.add.outer(left, np.arange(width))
    if flip:
        mirrored = rng.random(count) < 0.5
        columns[mirrored] = columns[mirrored, ::-1]
    moved: Pixels = padded[np.arange(count)[:, np.newaxis, np.newaxis], rows[:, :, np.newaxis], columns[:, np.newaxis]]
    return moved
