"""Augmentation keeps shapes, types and ranges, is drawn from the generator alone, and changes what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyml.training.augment_audio import (
    SILENCE_RMS,
    AudioAugmentation,
    augment_clips,
    cut_off,
    make_foreign,
    make_silence,
    warp,
)
from tinyml.training.augment_images import (
    ImageAugmentation,
    change_light,
    change_pictures,
    crop_and_resize,
    resize,
    shift_and_flip,
    turn_and_stretch,
)

RATE_HZ = 16_000
STILL = AudioAugmentation(shift_ms=0, speed=0, gain_db=(0, 0), noise_chance=0, snr_db=(0, 0))


def tone(hz: float, samples: int = RATE_HZ) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(samples) / RATE_HZ)).astype(np.int16)


def peak_hz(clip: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(clip))) * RATE_HZ / len(clip))


def test_no_augmentation_changes_nothing() -> None:
    clips = np.stack([tone(300), tone(700)])
    np.testing.assert_array_equal(augment_clips(clips, (), np.random.default_rng(0), STILL, RATE_HZ), clips)


def test_augmentation_follows_the_generator() -> None:
    clips, noise = np.stack([tone(300)] * 4), (tone(50, 40_000),)
    once = augment_clips(clips, noise, np.random.default_rng(1), AudioAugmentation(), RATE_HZ)
    again = augment_clips(clips, noise, np.random.default_rng(1), AudioAugmentation(), RATE_HZ)
    np.testing.assert_array_equal(once, again)
    assert once.dtype == np.int16
    assert len({clip.tobytes() for clip in once}) == 4


def test_speed_changes_pitch_and_shift_moves() -> None:
    assert peak_hz(warp(tone(1000), 0.1, 0)) == pytest.approx(1100, abs=3)
    click = np.zeros(1000, np.int16)
    click[500] = 1000
    assert int(np.argmax(warp(click, 0.0, 120))) == 620
    assert int(np.argmax(warp(click, 0.0, -120))) == 380


def test_noise_has_the_asked_level() -> None:
    options = AudioAugmentation(shift_ms=0, speed=0, gain_db=(0, 0), noise_chance=1, snr_db=(20, 20))
    clip = tone(440)
    mixed = augment_clips(clip[np.newaxis], (tone(3000, 50_000),), np.random.default_rng(2), options, RATE_HZ)[0]
    added = mixed.astype(float) - clip
    assert np.std(added) == pytest.approx(np.std(clip.astype(float)) / 10, rel=0.02)


def test_cut_off_words_stand_at_an_edge() -> None:
    clips = np.full((40, 1000), 7, np.int16)
    cut = cut_off(clips, np.random.default_rng(3), 0.3, 0.6)
    kept = (cut != 0).sum(axis=1)
    assert (kept >= 400).all()
    assert (kept <= 700).all()
    assert {bool(clip[0]) for clip in cut} == {True, False}
    assert all(bool(clip[0]) != bool(clip[-1]) for clip in cut)


def test_loud_clips_saturate() -> None:
    options = AudioAugmentation(shift_ms=0, speed=0, gain_db=(20, 20), noise_chance=0)
    loud = augment_clips(tone(440)[np.newaxis], (), np.random.default_rng(3), options, RATE_HZ)
    assert (loud.min(), loud.max()) == (-32768, 32767)


def test_silence_has_every_loudness() -> None:
    silence = make_silence((tone(100, 30_000),), 200, RATE_HZ, np.random.default_rng(4))
    levels = silence.astype(float).std(axis=1)
    assert silence.shape == (200, RATE_HZ)
    assert levels.min() < 2
    assert levels.max() > 5_000
    assert np.median(levels) == pytest.approx(np.sqrt(SILENCE_RMS[0] * SILENCE_RMS[1]), rel=1.0)


def test_noise_shorter_than_a_clip_is_repeated() -> None:
    assert make_silence((tone(100, 500),), 3, RATE_HZ, np.random.default_rng(4)).shape == (3, RATE_HZ)


def test_foreign_words_are_none_of_the_keywords() -> None:
    clips = np.stack([np.arange(4000, dtype=np.int16), np.arange(4000, 8000).astype(np.int16)])
    foreign = make_foreign(clips, 20, np.random.default_rng(5))
    assert foreign.shape == (20, 4000)
    known = {clip.tobytes() for clip in clips}
    assert all(clip.tobytes() not in known for clip in foreign)


def test_images_keep_size_and_range() -> None:
    source = np.random.default_rng(6)
    images = source.integers(0, 256, (5, 40, 40, 3)).astype(np.uint8)
    cropped = np.stack([crop_and_resize(image, 24, source, ImageAugmentation()) for image in images])
    changed = change_light(cropped, source, ImageAugmentation())
    assert cropped.shape == changed.shape == (5, 24, 24, 3)
    assert changed.dtype == np.uint8
    assert not np.array_equal(cropped, changed)


def test_light_is_the_formula_by_picture_and_channel() -> None:
    images = np.random.default_rng(3).integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
    still = ImageAugmentation(flip=False, light=0.0, colour=0.0)
    np.testing.assert_array_equal(change_light(images, np.random.default_rng(1), still), images)
    grey = change_light(images, np.random.default_rng(1), replace(still, grey=0.5))
    colourless = np.ptp(grey.astype(int), axis=3).max(axis=(1, 2)) == 0
    assert 8 < colourless.sum() < 32
    np.testing.assert_array_equal(grey[colourless][..., 0], np.rint(images[colourless].mean(axis=3)))
    np.testing.assert_array_equal(grey[~colourless], images[~colourless])
    lit = change_light(images, np.random.default_rng(2), replace(still, light=0.3, colour=0.1)).astype(int)
    for before, after in zip(images, lit, strict=True):
        for channel in range(3):
            order = np.argsort(before[..., channel].ravel(), kind="stable")
            assert (np.diff(after[..., channel].ravel()[order]) >= 0).all(), "brighter pixels stay brighter"


def test_pictures_and_targets_change_together_at_any_size() -> None:
    images = np.random.default_rng(4).integers(0, 256, (64, 12, 12, 3), dtype=np.uint8)
    targets = np.eye(64, dtype=np.float32)
    options = ImageAugmentation(cut_out=0.3, mixup=0.5, cutmix=0.5, grey=0.2)
    changed, shares = change_pictures(images, targets, np.random.default_rng(5), options)
    assert changed.dtype == np.uint8
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    assert 10 < np.sum(shares.max(axis=1) == 1.0) < 54, "some stay whole, some are mixed"
    larger, same = change_pictures(images.repeat(2, 1).repeat(2, 2), targets, np.random.default_rng(5), options)
    np.testing.assert_allclose(same, shares, atol=0.2)
    assert np.abs(larger[:, ::2, ::2].astype(int) - changed).mean() < 12
    np.testing.assert_array_equal(resize(images, 12), images)
    assert resize(images[..., :1], 7).shape == (64, 7, 7, 1)


def test_grey_images_keep_their_channel() -> None:
    image = np.full((30, 30, 1), 77, np.uint8)
    cropped = crop_and_resize(image, 20, np.random.default_rng(7), ImageAugmentation())
    np.testing.assert_array_equal(cropped, np.full((20, 20, 1), 77))


def test_shift_moves_whole_pixels_and_mirrors_only_when_asked() -> None:
    image = np.zeros((1, 9, 9, 1), np.uint8)
    image[0, 4, 2] = 200
    batch = np.repeat(image, 200, axis=0)
    moved = shift_and_flip(batch, 2, False, np.random.default_rng(8))
    columns = {int(np.argmax(picture.max(axis=(0, 2)))) for picture in moved}
    assert columns == {0, 1, 2, 3, 4}
    mirrored = shift_and_flip(batch, 0, True, np.random.default_rng(9))
    assert {int(np.argmax(picture.max(axis=(0, 2)))) for picture in mirrored} == {2, 6}


def test_turned_pictures_are_as_scipy_turns_them() -> None:
    from scipy.ndimage import affine_transform

    image = np.random.default_rng(10).integers(0, 256, (1, 15, 11, 1), dtype=np.uint8)
    options = ImageAugmentation(turn_degrees=30, stretch=0.3, slant=0.3)
    for seed in range(20):
        turned = turn_and_stretch(image, np.random.default_rng(seed), options)
        rng = np.random.default_rng(seed)
        angle = np.deg2rad(rng.uniform(-30, 30, 1))[0]
        wide, high = np.exp(rng.uniform(-0.3, 0.3, (2, 1)))[:, 0]
        slant = rng.uniform(-0.3, 0.3, 1)[0]
        matrix = [
            [np.cos(angle) / high, np.sin(angle) / high],
            [(slant - np.sin(angle)) / wide, np.cos(angle) / wide],
        ]
        middle = np.array([7.0, 5.0])
        plane = image[0, ..., 0].astype(float)
        wanted = affine_transform(plane, matrix, middle - np.array(matrix) @ middle, order=1, mode="nearest")
        assert np.abs(turned[0, ..., 0] - wanted).max() <= 1
    np.testing.assert_array_equal(turn_and_stretch(image, np.random.default_rng(1), ImageAugmentation()), image)
