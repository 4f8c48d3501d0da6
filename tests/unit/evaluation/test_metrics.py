"""Measures against worked examples and against their definitions, counted one by one."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.evaluation.metrics import (
    area,
    confusion_matrix,
    partial_area,
    precision,
    recall,
    roc_curve,
    top_k_accuracy,
)


def test_confusion_precision_and_recall() -> None:
    matrix = confusion_matrix(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0]), 3)
    assert matrix.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert precision(matrix) == (2 / 3, 1 / 2, None)
    assert recall(matrix) == (2 / 3, 1 / 2, None)


def test_accuracy_takes_the_first_of_equal_scores_as_argmax_does() -> None:
    scores = np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.4, 0.3, 0.3]])
    truths = np.array([1, 2, 2])
    assert top_k_accuracy(scores, truths) == pytest.approx(np.mean(scores.argmax(axis=1) == truths)) == 1 / 3
    assert top_k_accuracy(scores, truths, 2) == 2 / 3 and top_k_accuracy(scores, truths, 3) == 1.0
    assert np.isnan(top_k_accuracy(np.zeros((0, 3)), np.zeros(0, np.int64)))


def test_a_small_roc() -> None:
    roc = roc_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    assert roc.false_positive.tolist() == [0, 0, 0.5, 0.5, 1]
    assert roc.true_positive.tolist() == [0, 0.5, 0.5, 1, 1]
    assert roc.thresholds.tolist() == [np.inf, 0.8, 0.4, 0.35, 0.1]
    assert area(roc) == 0.75
    assert partial_area(roc, 0.5) == pytest.approx(0.5 * (1 + (0.25 - 0.125) / 0.375))
    assert partial_area(roc, 0.25) == pytest.approx(0.5 * (1 + (0.125 - 0.03125) / 0.21875))


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_the_share_of_pairs_in_the_right_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 12, 80).astype(np.float64), rng.random(80) < 0.4
    high, low = scores[positive], scores[~positive]
    pairs = np.mean([(a > b) + 0.5 * (a == b) for a in high for b in low])
    roc = roc_curve(scores, positive)
    assert area(roc) == pytest.approx(pairs)
    for rate, hits, threshold in zip(roc.false_positive, roc.true_positive, roc.thresholds, strict=True):
        assert rate == pytest.approx(np.mean(low >= threshold)) and hits == pytest.approx(np.mean(high >= threshold))
    assert partial_area(roc, 1.0) == pytest.approx(area(roc)), "all of the curve, standardised, is the area"


def test_perfection_and_chance() -> None:
    truths = np.array([False] * 50 + [True] * 50)
    assert partial_area(roc_curve(np.arange(100.0), truths)) == pytest.approx(1.0)
    assert partial_area(roc_curve(np.zeros(100), truths)) == pytest.approx(0.5)


def test_one_kind_alone_has_no_curve() -> None:
    with pytest.raises(ValueError, match="0 positive and 3 negative"):
        roc_curve(np.arange(3.0), np.zeros(3, bool))
