"""Scores of a float or an int8 model on a split: accuracy and confusion matrix, or the area under the ROC curve.

An int8 model is run by LiteRT's reference kernels, the ones that the firmware equals byte for byte, so its scores
are the board's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import UnsupportedError
from tinyml.files import replacing
from tinyml.training.examples import CLASSIFY, Codes, Examples, Labels, Reals, TrainingData

BATCH = 128


@dataclass(frozen=True)
class Scores:
    """How good a model is on a split.

    ``value`` is what counts, ``metric`` says what it is: ``accuracy`` (share of right answers) or ``auc`` (area under
    the ROC curve of the reconstruction error). ``confusion[true][predicted]`` counts examples; it is empty for ``auc``.
    """

    metric: str
    value: float
    loss: float
    examples: int
    labels: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The scores as a JSON object."""
        out: dict[str, Any] = {self.metric: self.value, "loss": self.loss, "examples": self.examples}
        if self.confusion:
            out |= {"recall": dict(zip(self.labels, self.recalls(), strict=True)), "confusion": self.confusion}
        return out

    def recalls(self) -> tuple[float | None, ...]:
        """Of each class's examples the share that is found; None for a class without examples."""
        return tuple(row[i] / sum(row) if sum(row) else None for i, row in enumerate(self.confusion))


def evaluate_float(model: Any, data: TrainingData, examples: Examples) -> Scores:
    """Score a Keras model."""
    outputs = [
        np.asarray(model(data.real(examples.codes[at : at + BATCH]), training=False))
        for at in range(0, len(examples), BATCH)
    ]
    return score(data, examples, np.concatenate(outputs) if outputs else np.zeros((0, len(data.labels)), np.float32))


def evaluate_int8(content: bytes, data: TrainingData, examples: Examples) -> Scores:
    """Score a full-integer ``.tflite`` by LiteRT's reference kernels.

    Raises:
        UnsupportedError: the model's input has another shape than the examples.
    """
    return score(data, examples, predict_int8(content, data, examples.codes))


def predict_int8(content: bytes, data: TrainingData, codes: Codes) -> Reals:
    """The real values of the outputs, float32 ``[examples, ...]``.

    Raises UnsupportedError where the model's input has another shape than ``codes``.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if tuple(source["shape"][1:]) != codes.shape[1:]:
        raise UnsupportedError(
            f"the model's input has the shape {tuple(int(n) for n in source['shape'][1:])}, the data {codes.shape[1:]}",
            hint="give the data, the words and the front-end options that the model was trained with",
        )
    prepared = requantise(codes, data, *source["quantization"])
    scale, zero_point = target["quantization"]
    outputs = np.empty((len(codes), *target["shape"][1:]), np.float32)
    for row, example in enumerate(prepared):
        interpreter.set_tensor(source["index"], example[np.newaxis])
        interpreter.invoke()
        outputs[row] = (interpreter.get_tensor(target["index"])[0].astype(np.float32) - zero_point) * scale
    return outputs


def requantise(codes: Codes, data: TrainingData, scale: float, zero_point: int) -> Codes:
    """The front-end's codes in a model's own input quantisation; unchanged where the two agree."""
    if zero_point == data.zero_point and np.isclose(scale, data.scale, rtol=1e-6, atol=0.0):
        return codes
    real = (codes.astype(np.float64) - data.zero_point) * data.scale
    return np.clip(np.round(real / scale) + zero_point, -128, 127).astype(np.int8)


def detection_threshold(outputs: Reals, labels: Labels, names: Sequence[str], false_accepts: float = 0.01) -> float:
    """The lowest probability at which a keyword may be announced.

    Of the examples of the other classes (names that begin with ``_``) at most the share ``false_accepts`` reaches it
    with a keyword.
    """
    other = np.array([name.startswith("_") for name in names])
    highest = np.sort(outputs[other[labels]][:, ~other].max(axis=1))
    if not len(highest):
        return 0.5
    allowed = int(false_accepts * len(highest))
    return min(1.0, max(0.5, float(np.nextafter(highest[-1 - allowed], np.float32(2.0)))))


def score(data: TrainingData, examples: Examples, outputs: Reals) -> Scores:
    """Scores from a model's outputs: class probabilities, or the reconstructed input."""
    if not len(examples):
        return Scores("accuracy" if data.objective == CLASSIFY else "auc", float("nan"), float("nan"), 0)
    if data.objective == CLASSIFY:
        predicted = outputs.argmax(axis=1)
        chosen = np.clip(outputs[np.arange(len(examples)), examples.labels], 1e-7, 1.0)
        matrix = np.zeros((len(data.labels), len(data.labels)), np.int64)
        np.add.at(matrix, (examples.labels, predicted), 1)
        return Scores(
            metric="accuracy",
            value=float(np.mean(predicted == examples.labels)),
            loss=float(-np.mean(np.log(chosen))),
            examples=len(examples),
            labels=data.labels,
            confusion=tuple(tuple(int(n) for n in row) for row in matrix),
        )
    errors, labels = reconstruction_errors(data, examples, outputs)
    return Scores("auc", area_under_roc(errors, labels), float(np.mean(errors[labels == 0])), len(labels))


def reconstruction_errors(
    data: TrainingData, examples: Examples, outputs: Reals
) -> tuple[npt.NDArray[np.float64], Labels]:
    """Mean squared errors and labels, ``[number]``, of the examples or of the recordings that they were cut from."""
    difference = outputs.reshape(len(examples), -1) - data.real(examples.codes).reshape(len(examples), -1)
    errors = np.asarray(np.mean(difference**2, axis=1, dtype=np.float64))
    if examples.groups is None:
        return errors, examples.labels
    _, first, group = np.unique(examples.groups, return_index=True, return_inverse=True)
    return np.bincount(group, errors) / np.bincount(group), examples.labels[first]


def area_under_roc(scores: npt.NDArray[np.floating[Any]], labels: Labels) -> float:
    """The chance that an anomalous example scores above a normal one, ties counted half (Mann-Whitney U).

    ``scores`` and ``labels`` (0 normal, 1 anomalous) are ``[examples]``. NaN where there are none of one kind.
    """
    negatives, positives = np.sort(scores[labels == 0]), scores[labels == 1]
    if not len(negatives) or not len(positives):
        return float("nan")
    below = np.searchsorted(negatives, positives, side="left")
    ties = np.searchsorted(negatives, positives, side="right") - below
    return float(np.sum(below + ties / 2) / (len(negatives) * len(positives)))


def draw_confusion(path: Path, matrix: Sequence[Sequence[int]], labels: Sequence[str], title: str) -> None:
    """Draw a confusion matrix as a PNG."""
    from matplotlib.figure import Figure

    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.4 + 0.5 * len(labels)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    axes.set_xticks(range(len(labels)), [str(name) for name in labels], rotation=90)
    axes.set_yticks(range(len(labels)), [str(name) for name in labels])
    if len(labels) <= 30:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=color)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)
