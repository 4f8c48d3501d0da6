"""Augmentation of images, in 8-bit pixels before they become int8 codes: crops, flips, light, colour, cut-out, mixing.

Everything is drawn in shares of a picture, never in pixels: the same generator gives the same pictures at any size, so
that a teacher can see what the student sees in the size that it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyml.training.mixing import cut_mix, cut_out, mix_up

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ImageAugmentation:
    """How far images are changed.

    ``smallest_crop`` is the least share of the picture's area that a crop keeps, ``aspect`` how far its sides may
    differ; ``light`` and ``colour`` are the largest relative changes of brightness and contrast, and of each channel;
    ``grey`` is the share of pictures that lose their colour, ``cut_out`` that of pictures that lose a square
    ``cut_out_side`` of their width wide. Of the pictures ``mixup`` are mixed with another by shares from
    Beta(``mixup_alpha``, same), and in ``cutmix`` a square is replaced by another's. Small pictures are turned by up to
    ``turn_degrees``, stretched and slanted by up to the shares ``stretch`` and ``slant``, as handwriting is.
    """

    flip: bool = True
    smallest_crop: float = 0.85
    aspect: float = 0.15
    light: float = 0.2
    colour: float = 0.08
    grey: float = 0.0
    cut_out: float = 0.0
    cut_out_side: float = 0.4
    mixup: float = 0.0
    mixup_alpha: float = 1.0
    cutmix: float = 0.0
    turn_degrees: float = 0.0
    stretch: float = 0.0
    slant: float = 0.0


def change_pictures(
    images: Pixels, targets: Reals, rng: np.random.Generator, options: ImageAugmentation
) -> tuple[Pixels, Reals]:
    """Light, colour, cut-out and mixing for a batch of cropped uint8 images ``[n, height, width, channels]``.

    ``targets`` are float32 ``[n, classes]``; they are shared as the pictures are.
    """
    changed = cut_out(change_light(images, rng, options), options.cut_out_side, rng, options.cut_out)
    changed, shared = cut_mix(changed, targets, rng, options.cutmix)
    return mix_up(changed, shared, options.mixup_alpha, rng, options.mixup)


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
    out = images.copy()
    if options.flip:
        turned = rng.random(count) < 0.5
        out[turned] = out[turned, :, ::-1]
    contrast = rng.uniform(1 - options.light, 1 + options.light, (count, 1, 1))
    brightness = 255 * rng.uniform(-options.light, options.light, (count, 1, 1)) / 2
    tint = rng.uniform(1 - options.colour, 1 + options.colour, (count, channels, 1))
    if channels == 3:
        bare = np.flatnonzero(rng.random(count) < options.grey)
        out[bare] = np.rint(out[bare].mean(axis=3, keepdims=True)).astype(np.uint8)
    middle = out.reshape(count, -1).mean(axis=1).reshape(count, 1, 1)
    lit = ((np.arange(256) - middle) * contrast + middle + brightness) * tint
    tables = np.clip(np.rint(lit), 0, 255).astype(np.uint8).reshape(count, -1)
    places = 256 * np.arange(channels, dtype=np.int16)
    for row in range(count):
        out[row] = tables[row][out[row] + places]
    return out


def resize(images: Pixels, size: int) -> Pixels:
    """A batch of uint8 images ``[n, height, width, channels]`` brought to ``size`` square; itself where it has it."""
    from PIL import Image

    count, height, width, channels = images.shape
    if height == width == size:
        return images
    pictures = [Image.fromarray(image if channels == 3 else image[..., 0]) for image in images]
    resized = [np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR), np.uint8) for picture in pictures]
    return np.stack(resized).reshape(count, size, size, channels)


def turn_and_stretch(images: Pixels, rng: np.random.Generator, options: ImageAugmentation) -> Pixels:
    """A batch of uint8 images ``[n, height, width, channels]``, each turned, stretched and slanted about its middle.

    The affine part of Simard et al. 2003, "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis", section 2. Pixels are interpolated bilinearly; beyond its edges a picture goes on as its edge is.
    """
    if not (options.turn_degrees or options.stretch or options.slant):
        return images
    count, height, width, _ = images.shape
    angle = np.deg2rad(rng.uniform(-options.turn_degrees, options.turn_degrees, count))
    wide, high = np.exp(rng.uniform(-options.stretch, options.stretch, (2, count)))
    slant = rng.uniform(-options.slant, options.slant, count)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2

    def taken(along_y: Reals, along_x: Reals, side: int) -> Reals:
        places = along_y[:, np.newaxis, np.newaxis] * y + along_x[:, np.newaxis, np.newaxis] * x + (side - 1) / 2
        clipped: Reals = np.clip(places, 0, side - 1).astype(np.float32)
        return clipped

    rows = taken(np.cos(angle) / high, np.sin(angle) / high, height)
    columns = taken((slant - np.sin(angle)) / wide, np.cos(angle) / wide, width)
    top, left = np.minimum(rows.astype(np.int64), height - 2), np.minimum(columns.astype(np.int64), width - 2)
    down, right = (rows - top)[..., np.newaxis], (columns - left)[..., np.newaxis]
    which = np.arange(count)[:, np.newaxis, np.newaxis]
    upper = images[which, top, left] * (1 - right) + images[which, top, left + 1] * right
    lower = images[which, top + 1, left] * (1 - right) + images[which, top + 1, left + 1] * right
    turned: Pixels = np.rint(upper * (1 - down) + lower * down).astype(np.uint8)
    return turned


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
