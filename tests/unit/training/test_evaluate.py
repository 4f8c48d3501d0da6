"""Scores against small cases that can be counted by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tinyml.training.evaluate import area_under_roc, detection_threshold, draw_confusion, requantise, score
from tinyml.training.examples import RECONSTRUCT, Examples, TrainingData


def test_accuracy_confusion_and_recall(data: TrainingData) -> None:
    examples = Examples(np.zeros((4, 8, 8, 1), np.int8), np.array([0, 0, 1, 2]))
    outputs = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], np.float32)
    scores = score(data, examples, outputs)
    assert scores.value == 0.75
    assert scores.confusion == ((1, 1, 0), (0, 1, 0), (0, 0, 1))
    assert scores.recalls() == (0.5, 1.0, 1.0)
    assert scores.loss == pytest.approx(-np.mean(np.log([0.8, 0.2, 0.8, 0.4])))


def test_class_without_examples_has_no_recall(data: TrainingData) -> None:
    examples = Examples(np.zeros((1, 8, 8, 1), np.int8), np.array([1]))
    assert score(data, examples, np.array([[0.1, 0.8, 0.1]], np.float32)).recalls() == (None, 1.0, None)


def test_area_under_roc_counts_pairs() -> None:
    source = np.random.default_rng(1)
    scores = source.integers(0, 6, 60).astype(np.float64)
    labels = source.integers(0, 2, 60)
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[labels == 1] for n in scores[labels == 0]]
    assert area_under_roc(scores, labels) == pytest.approx(np.mean(pairs))
    assert np.isnan(area_under_roc(scores, np.zeros(60, np.int64)))


def test_reconstruction_is_scored_by_its_error(data: TrainingData) -> None:
    codes = np.zeros((4, 8, 8, 1), np.int8)
    told = dataclasses.replace(data, objective=RECONSTRUCT)
    outputs = np.stack([np.full((8, 8, 1), level, np.float32) for level in (0.0, 0.1, 1.0, 2.0)])
    scores = score(told, Examples(codes, np.array([0, 0, 1, 1])), outputs)
    assert scores.metric == "auc"
    assert scores.value == 1.0
    assert scores.loss == pytest.approx(0.005)


def test_requantising_keeps_real_values(data: TrainingData) -> None:
    codes = np.arange(-128, 128).astype(np.int8)
    assert requantise(codes, data, 1 / 32, 0) is codes
    coarser = requantise(codes, data, 1 / 16, 3)
    np.testing.assert_array_equal(coarser, np.round(codes / 2.0) + 3)
    finer = requantise(codes, data, 1 / 64, 0)
    np.testing.assert_array_equal(finer, np.clip(codes.astype(int) * 2, -128, 127))


def test_confusion_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_confusion(tmp_path / "confusion.png", [[3, 1], [0, 4]], ["yes", "no"], "two words")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_threshold_lets_few_others_through() -> None:
    source = np.random.default_rng(2)
    labels = source.integers(0, 4, 4000)
    outputs = source.dirichlet([1, 1, 1, 1], 4000).astype(np.float32)
    names = ("yes", "no", "_silence_", "_unknown_")
    threshold = detection_threshold(outputs, labels, names, false_accepts=0.05)
    share = np.mean(outputs[labels >= 2, :2].max(axis=1) >= threshold)
    assert 0.045 < share <= 0.05
    assert detection_threshold(outputs[labels < 2], labels[labels < 2], names) == 0.5
