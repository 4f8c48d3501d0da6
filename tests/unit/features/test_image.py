"""Integer image preprocessing against exact fractions, Pillow, and its own symmetries."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.support.shared import require_module
from tinyml.errors import UsageError
from tinyml.features.image import (
    ImageConfig,
    crop_centre,
    process,
    resize_area,
    resize_bilinear,
    rgb_to_grey,
    unpack_rgb565,
)


def picture(seed: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def exact_area(image: np.ndarray, size: int) -> list[list[int]]:
    """Area averages of a square one-channel picture by exact fractions, rounded half up."""
    side = image.shape[0]
    ratio = Fraction(side, size)
    rows = []
    for top in range(size):
        row = []
        for left in range(size):
            total = Fraction(0)
            for y in range(side):
                height = min((top + 1) * ratio, y + 1) - max(top * ratio, y)
                for x in range(side):
                    width = min((left + 1) * ratio, x + 1) - max(left * ratio, x)
                    if height > 0 and width > 0:
                        total += height * width * int(image[y, x, 0])
            row.append(int(total / ratio**2 + Fraction(1, 2)))
        rows.append(row)
    return rows


@pytest.mark.parametrize(("side", "size"), [(7, 3), (10, 4), (12, 12), (9, 8), (16, 4)])
def test_area_is_the_exact_average(side: int, size: int) -> None:
    image = picture(side, side, side, 1)
    assert resize_area(image, size)[..., 0].tolist() == exact_area(image, size)


def test_close_to_pillow() -> None:
    require_module("PIL")
    from PIL import Image

    smooth = np.add.outer(np.arange(120), np.arange(120)).astype(np.uint8)[..., np.newaxis].repeat(3, axis=2)
    box = np.asarray(Image.fromarray(smooth).resize((96, 96), Image.Resampling.BOX)).astype(int)
    assert np.abs(resize_area(smooth, 96).astype(int) - box).max() <= 1
    linear = np.asarray(Image.fromarray(smooth).resize((160, 160), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(resize_bilinear(smooth, 160).astype(int) - linear).max() <= 1


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
@pytest.mark.parametrize(("side", "size"), [(240, 96), (50, 96), (96, 96), (1, 8), (2048, 5)])
def test_a_flat_picture_stays_flat(value: int, side: int, size: int) -> None:
    image = np.full((side, side, 3), value, np.uint8)
    assert (process(image, size) == value - 128).all()


@pytest.mark.parametrize(("side", "size"), [(33, 20), (20, 33)])
def test_mirrored_in_mirrored_out(side: int, size: int) -> None:
    image = picture(4, side, side)
    assert np.array_equal(process(image[:, ::-1], size), process(image, size)[:, ::-1])
    assert np.array_equal(process(image.transpose(1, 0, 2), size), process(image, size).transpose(1, 0, 2))


def test_sums_fit_32_bits_at_the_largest_sides() -> None:
    assert 255 * 2048 * 2048 + 2048 * 2048 // 2 < 1 << 32
    assert 255 * (2 * 2048) ** 2 + (2 * 2048) ** 2 // 2 < 1 << 32
    white = np.full((2048, 2048, 1), 255, np.uint8)
    assert (process(white, 3, channels=1) == 127).all()


def test_crops_the_middle() -> None:
    image = np.arange(5 * 8, dtype=np.uint8).reshape(5, 8, 1)
    assert np.array_equal(crop_centre(image), image[:, 1:6])
    assert np.array_equal(crop_centre(image.transpose(1, 0, 2)), image.transpose(1, 0, 2)[1:6])


def test_grey_is_bt601() -> None:
    image = picture(1, 40, 40)
    exact = image.astype(float) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(rgb_to_grey(image)[..., 0] - exact).max() < 1.5
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis, np.newaxis], 3, axis=2)
    assert np.array_equal(rgb_to_grey(grey)[:, 0, 0], np.arange(256))
    assert process(image, 20, channels=1).shape == (20, 20, 1)
    assert process(image[..., :1], 20).shape == (20, 20, 3)


def test_rgb565_reaches_black_white_and_keeps_the_high_bits() -> None:
    pixels = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    colours = unpack_rgb565(pixels).astype(int)
    assert colours[0, 0].tolist() == [0, 0, 0] and colours[-1, -1].tolist() == [255, 255, 255]
    packed = (colours[..., 0] >> 3 << 11) | (colours[..., 1] >> 2 << 5) | (colours[..., 2] >> 3)
    assert np.array_equal(packed, pixels)
    assert unpack_rgb565(np.array([[0xF800, 0x07E0, 0x001F]], np.uint16)).tolist() == [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    ]


def test_config_round_trip_and_what_is_refused() -> None:
    config = ImageConfig(size=80, channels=1)
    assert ImageConfig.from_json({"kind": "image", **config.to_json()}) == config
    assert config.process(picture(0, 90, 120)).shape == (80, 80, 1)
    with pytest.raises(UsageError, match="channels is 2"):
        ImageConfig(channels=2)
    with pytest.raises(UsageError, match="size is 0"):
        ImageConfig(size=0)
    with pytest.raises(UsageError, match="unknown key 'sides'"):
        ImageConfig.from_json({"sides": 3})
    with pytest.raises(UsageError, match="an image is uint8"):
        process(np.zeros((4, 4), np.uint8), 4)
    with pytest.raises(UsageError, match="cannot resize 3000 x 2"):
        process(np.zeros((2, 3000, 3), np.uint8), 4)
