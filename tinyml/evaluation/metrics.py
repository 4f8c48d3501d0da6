"""Measures of a classifier or detector from scores and truths, in NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]
Truths = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Roc:
    """A receiver operating characteristic: rates ``[points]`` from (0, 0) to (1, 1) as the threshold falls.

    At ``thresholds[i]`` everything that scores as much or more is accepted; the first threshold is infinite.
    """

    false_positive: NDArray[np.float64]
    true_positive: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def confusion_matrix(truths: Truths, predicted: Truths, classes: int) -> NDArray[np.int64]:
    """int64 ``[classes, classes]``: ``[t, p]`` counts examples of class ``t`` that were taken for ``p``."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (truths, predicted), 1)
    return matrix


def top_k_accuracy(scores: Scores, truths: Truths, k: int = 1) -> float:
    """Share of examples whose class is among the ``k`` highest of ``scores`` [examples, classes].

    Of equal scores the first class counts as higher, as ``argmax`` has it on the board. NaN without examples.
    """
    if not len(truths):
        return float("nan")
    own = scores[np.arange(len(truths)), truths][:, np.newaxis]
    earlier = np.arange(scores.shape[1]) < np.asarray(truths)[:, np.newaxis]
    rank = np.sum((scores > own) | ((scores == own) & earlier), axis=1)
    return float(np.mean(rank < k))


def precision(confusion: NDArray[np.int64]) -> tuple[float | None, ...]:
    """Of what is taken for each class, the share that is of it; None where nothing is."""
    return _shares(np.diagonal(confusion), confusion.sum(axis=0))


def recall(confusion: NDArray[np.int64]) -> tuple[float | None, ...]:
    """Of each class's examples, the share that is found; None where it has none."""
    return _shares(np.diagonal(confusion), confusion.sum(axis=1))


def _shares(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> tuple[float | None, ...]:
    return tuple(float(part / whole) if whole else None for part, whole in zip(parts, wholes, strict=True))


def roc_curve(scores: Scores, positive: NDArray[np.bool_]) -> Roc:
    """The ROC of ``scores`` [examples], high for ``positive`` ones; equal scores make one point.

    ValueError where all examples are positive or none is: a rate would have no denominator.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        raise ValueError(f"{positives} positive and {negatives} negative examples have no ROC")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order].astype(np.float64), positive[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    accepted = np.cumsum(hits)[last]
    return Roc(
        np.concatenate(([0.0], (last + 1 - accepted) / negatives)),
        np.concatenate(([0.0], accepted / positives)),
        np.concatenate(([np.inf], ranked[last])),
    )


def area(roc: Roc) -> float:
    """Area under the curve: the chance that a positive example scores above a negative one, ties half."""
    return _trapezoids(roc.false_positive, roc.true_positive)


def partial_area(roc: Roc, largest_false_positive: float = 0.1) -> float:
    """Area up to a false positive rate, standardised so that chance is 0.5 and perfection 1 (McClish 1989).

    ``0.5 * (1 + (A - least) / (most - least))`` with A the area up to ``p``, ``least`` = p^2 / 2, ``most`` = p: what
    the DCASE challenge's task 2 takes with p = 0.1 (Koizumi et al. 2020, arXiv:2006.05822, section 2).
    """
    p = largest_false_positive
    stop = int(np.searchsorted(roc.false_positive, p, side="right"))
    around = slice(stop - 1, stop + 1)
    x = np.append(roc.false_positive[:stop], p)
    y = np.append(roc.true_positive[:stop], np.interp(p, roc.false_positive[around], roc.true_positive[around]))
    least = p * p / 2
    return 0.5 * (1.0 + (_trapezoids(x, y) - least) / (p - least))


def _trapezoids(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))
