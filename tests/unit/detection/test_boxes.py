"""Boxes of integers against the paper's formulas in floating point, and what suppression keeps."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.detection.boxes import Box, BoxDecoder, decode_boxes, suppress
from tinyml.errors import UsageError

ANCHORS = ((1.0, 2.0), (3.5, 1.25), (6.0, 6.0))


def decoder(classes: int, limit: int = 10_000) -> BoxDecoder:
    return BoxDecoder(0.05, -10, ANCHORS, classes, least_score=0.4, most_overlap=1.0, limit=limit)


@pytest.mark.parametrize("classes", [1, 4])
def test_boxes_are_the_papers(classes: int) -> None:
    rng = np.random.default_rng(classes)
    raw = rng.integers(-128, 128, (5, 7, 3 * (5 + classes)), dtype=np.int8)
    x = (raw.astype(np.float64) + 10) * 0.05
    x = x.reshape(5, 7, 3, 5 + classes)
    exp = np.exp(x[..., 5:])
    score = 1 / (1 + np.exp(-x[..., 4])) * (exp / exp.sum(-1, keepdims=True)).max(-1)
    wanted = []
    for row, column, anchor in np.argwhere(score >= 0.4):
        v = x[row, column, anchor]
        centre = column + 1 / (1 + np.exp(-v[0])), row + 1 / (1 + np.exp(-v[1]))
        half = np.array(ANCHORS[anchor]) * np.exp(v[2:4]) / 2
        left, top = (max(0.0, c - h) for c, h in zip(centre, half, strict=True))
        right, bottom = (min(side, c + h) for side, c, h in zip((7, 5), centre, half, strict=True))
        wanted.append((left, top, right, bottom, score[row, column, anchor], int(x[row, column, anchor, 5:].argmax())))
    wanted.sort(key=lambda box: -box[4])
    found = decode_boxes(raw, decoder(classes))
    assert len(found) > 10
    assert abs(len(found) - len(wanted)) <= 1  # a score may lie on the threshold
    measured = np.array([[b.left / 256, b.top / 256, b.right / 256, b.bottom / 256, b.score / 32768] for b in found])
    for *numbers, label in wanted:
        if numbers[4] > 0.401:
            alike = np.all(np.abs(measured - numbers) < (0.02, 0.02, 0.02, 0.02, 1e-3), axis=1)
            assert any(found[int(i)].class_index == label for i in np.flatnonzero(alike))


def test_of_overlapping_boxes_of_a_class_the_best_stays() -> None:
    a, near, other_class, far = (
        Box(0, 0, 512, 512, 30_000, 0),
        Box(64, 0, 576, 512, 20_000, 0),
        Box(64, 0, 576, 512, 19_000, 1),
        Box(1024, 0, 1536, 512, 10_000, 0),
    )
    assert suppress([a, near, other_class, far], 115) == [a, other_class, far]
    assert suppress([a, near, other_class, far], 256) == [a, near, other_class, far]


def test_only_so_many_are_looked_at() -> None:
    raw = np.full((4, 4, 18), 100, np.int8)
    assert len(decode_boxes(raw, decoder(1, limit=3))) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"anchors": ()}, "anchors"),
        ({"anchors": ((300.0, 1.0),)}, "anchors"),
        ({"classes": 0}, "0 classes"),
        ({"least_score": 0.0}, "least score"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        BoxDecoder(**{"scale": 0.1, "zero_point": 0, "anchors": ANCHORS, "classes": 2} | options)  # type: ignore[arg-type]


def test_another_number_of_values_is_refused() -> None:
    with pytest.raises(UsageError, match="18"):
        decode_boxes(np.zeros((2, 2, 17), np.int8), decoder(1))
