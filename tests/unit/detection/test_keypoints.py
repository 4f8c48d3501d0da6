"""Keypoints: the largest heatmap value, moved by its cell's offset."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.detection.keypoints import Keypoint, decode_keypoints
from tinyml.errors import UsageError


def test_a_keypoint_is_where_its_heatmap_is_hottest() -> None:
    heat = np.full((3, 4, 2), -128, np.int8)
    heat[1, 2, 0] = 50
    heat[2, 0, 1] = heat[2, 1, 1] = 9  # of equals the first
    offsets = np.zeros((3, 4, 4), np.int8)
    offsets[1, 2] = [10, 0, -20, 0]
    offsets[2, 0] = [0, 5, 0, 7]
    found = decode_keypoints(heat, offsets, scale=0.5, zero_point=0, cell_units=16)
    assert found == [Keypoint(2 * 256 - 160, 256 + 80, 50), Keypoint(round(7 * 0.5 * 16), 2 * 256 + 40, 9)]


def test_offsets_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match="offsets"):
        decode_keypoints(np.zeros((2, 2, 3), np.int8), np.zeros((2, 2, 3), np.int8), 1.0, 0)
