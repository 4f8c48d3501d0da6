"""Masks, cut-outs, mixtures and rooms: how much changes, what stays, and that the generator decides."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.training.augment_audio import AudioAugmentation, augment_clips
from tinyml.training.mixing import Masking, cut_mix, cut_out, mask_features, mix_up

RATE_HZ = 16_000
STILL = AudioAugmentation(shift_ms=0, speed=0, gain_db=(0, 0), noise_chance=0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("last", [(), (1,)])
def test_masks_are_stretches_filled_with_the_mean(last: tuple[int, ...]) -> None:
    codes = rng().integers(-128, 128, (200, 49, 10, *last)).astype(np.int8)
    masked = mask_features(codes, rng(1), Masking(time_masks=1, frames=8, feature_masks=1, features=3))
    assert masked.dtype == np.int8 and masked.shape == codes.shape
    widths = []
    for before, after in zip(codes.reshape(200, 49, 10), masked.reshape(200, 49, 10), strict=True):
        changed = before != after
        frames, bands = np.flatnonzero(changed.mean(axis=1) > 0.7), np.flatnonzero(changed.mean(axis=0) > 0.7)
        widths.append(len(frames))
        for mask, most in ((frames, 8), (bands, 3)):
            assert len(mask) <= most and (len(mask) == 0 or mask[-1] - mask[0] == len(mask) - 1)
        assert set(after[changed].tolist()) <= {int(np.rint(before.mean()))}
        outside = np.ones((49, 10), bool)
        outside[frames], outside[:, bands] = False, False
        assert np.array_equal(before[outside], after[outside])
    assert set(widths) == set(range(9)), "every width from none to the largest is drawn"


def test_masks_follow_the_generator_and_can_be_none() -> None:
    codes = rng().integers(-128, 128, (8, 49, 40)).astype(np.int8)
    assert np.array_equal(mask_features(codes, rng(5), Masking()), mask_features(codes, rng(5), Masking()))
    assert not np.array_equal(mask_features(codes, rng(5), Masking()), mask_features(codes, rng(6), Masking()))
    assert np.array_equal(mask_features(codes, rng(), Masking(time_masks=0, feature_masks=0)), codes)
    wide = mask_features(codes[:, :3, :2], rng(), Masking(frames=100, features=100))
    assert wide.shape == (8, 3, 2)


def test_a_cut_out_is_one_square_of_the_mean() -> None:
    images = rng().integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    cut = cut_out(images, 0.25, rng(1))
    whole = 0
    for before, after in zip(images, cut, strict=True):
        rows, columns = np.nonzero((before != after).any(axis=2))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert 1 <= height <= 8 and 1 <= width <= 8
        whole += height == width == 8
        square = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert np.array_equal(np.unique(square.reshape(-1, 3), axis=0)[0], np.rint(before.mean(axis=(0, 1))))
        assert len(np.unique(square.reshape(-1, 3), axis=0)) == 1
    assert 40 < whole < 90, "where the centre is near the border, part of the square lies outside"
    assert np.array_equal(cut_out(images, 0.25, rng(1)), cut)
    assert np.array_equal(cut_out(images, 0.25, rng(1), chance=0.0), images)


def test_mixing_keeps_sums_and_uses_one_share_for_both() -> None:
    random = rng()
    inputs = random.normal(size=(64, 5, 4)).astype(np.float32)
    targets = np.eye(64, dtype=np.float32)
    mixed, labels = mix_up(inputs, targets, 0.4, rng(2))
    assert mixed.dtype == labels.dtype == np.float32
    assert np.allclose(labels.sum(axis=1), 1.0)
    for row in range(64):
        assert labels[row, row] >= 0.5
        assert np.allclose(mixed[row], np.tensordot(labels[row], inputs, axes=1), atol=1e-5)
    again = mix_up(inputs, targets, 0.4, rng(2))
    assert np.array_equal(again[0], mixed) and np.array_equal(again[1], labels)


def test_mixed_squares_share_targets_by_area() -> None:
    images = np.repeat(np.arange(50, dtype=np.uint8), 16 * 16 * 3).reshape(50, 16, 16, 3)
    targets = np.eye(50, dtype=np.float32)
    mixed, shares = cut_mix(images, targets, rng(3), 0.5)
    assert mixed.dtype == np.uint8 and shares.dtype == np.float32
    changed = 0
    for row in range(50):
        values, counts = np.unique(mixed[row, ..., 0], return_counts=True)
        changed += len(values) > 1
        for value, count in zip(values, counts, strict=True):
            assert shares[row, value] == pytest.approx(count / 256, abs=1e-6)
    assert 10 < changed < 40, "about half of the pictures hold a square of another"
    larger = cut_mix(images.repeat(2, axis=1).repeat(2, axis=2), targets, rng(3), 0.5)[0]
    assert np.mean(larger[:, ::2, ::2] == mixed) > 0.95, "the same places at another size"
    assert np.array_equal(cut_mix(images, targets, rng(3), 0.0)[0], images)


def test_no_alpha_no_mixture() -> None:
    inputs, targets = np.ones((3, 2), np.float32), np.eye(3, dtype=np.float32)
    assert mix_up(inputs, targets, 0.0, rng()) == (inputs, targets)


def test_rooms_ring_on_and_keep_the_loudness() -> None:
    clips = np.zeros((40, RATE_HZ), np.int16)
    clips[:, 4_000:4_800] = rng().integers(-8_000, 8_000, (40, 800))
    dry = augment_clips(clips, (), rng(1), STILL, RATE_HZ)
    assert np.array_equal(dry, clips)
    options = AudioAugmentation(**{**vars(STILL), "room_chance": 0.5})
    rooms = augment_clips(clips, (), rng(1), options, RATE_HZ)
    ringing = np.abs(rooms[:, 5_000:].astype(int)).max(axis=1) > 20
    assert 10 <= ringing.sum() <= 30, "half of the clips are in a room"
    assert np.array_equal(rooms[~ringing], clips[~ringing]) and not rooms[:, :4_000].any()
    energy = np.sum(rooms.astype(np.float64) ** 2, axis=1) / np.sum(clips.astype(np.float64) ** 2, axis=1)
    assert energy.min() > 0.7 and energy.max() < 1.4
    assert np.array_equal(augment_clips(clips, (), rng(1), options, RATE_HZ), rooms)
