"""Runs an int8 model over a split of a data set by LiteRT's reference kernels, whose bytes are the board's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.data import Dataset, DatasetOptions, open_dataset
from tinyml.data.base import AUDIO, IMAGE, SPLITS, CorruptSampleError, Progress, Sample, Skipped
from tinyml.data.speech_commands import SpeechOptions, words_alone
from tinyml.errors import UsageError
from tinyml.evaluation.metrics import (
    area,
    confusion_matrix,
    partial_area,
    precision,
    recall,
    roc_curve,
    top_k_accuracy,
)
from tinyml.evaluation.results import ANOMALY, CLASSIFY, ClassScore, Evaluation
from tinyml.features.audio import audio_config, audio_features
from tinyml.features.image import ImageConfig
from tinyml.graph.ir import Tensor
from tinyml.tflite.reference import Reference

ALL = "all"
WINDOW_STRIDE = 4
"""Frames between the windows of a recording that an anomaly detector scores, as in training."""

Codes = NDArray[np.int8]
Prepare = Callable[[NDArray[Any]], Codes]


@dataclass(frozen=True, eq=False)
class Model:
    """A model to evaluate: its name, its ``.tflite`` bytes, and the manifest that lies beside it."""

    name: str
    content: bytes
    manifest: Mapping[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the outputs; UsageError where the manifest has none."""
        labels = self.manifest.get("labels")
        if not isinstance(labels, list | tuple) or not labels:
            raise UsageError(
                f"the model {self.name} has no labels beside it",
                hint="keep the .json that `tinyml quantize` wrote next to the .tflite",
            )
        return tuple(str(label) for label in labels)

    @property
    def frontend(self) -> Mapping[str, Any]:
        """How raw input becomes codes; UsageError where the manifest does not say."""
        definition = self.manifest.get("frontend")
        if not isinstance(definition, Mapping):
            raise UsageError(
                f"the model {self.name} has no front-end beside it: how are its inputs made?",
                hint="keep the .json that `tinyml quantize` wrote next to the .tflite",
            )
        return definition


def open_for(model: Model, folder: Path, layout: str | None = None) -> Dataset:
    """The data set with the model's classes; UsageError where it has other ones."""
    labels = set(model.labels)
    seed = model.manifest.get("seed")
    chosen = SpeechOptions(seed=seed if isinstance(seed, int) else 0)
    dataset = open_dataset(folder, layout, DatasetOptions(chosen))
    if dataset.kind == AUDIO and set(dataset.classes) != labels:
        words = tuple(label for label in model.labels if not label.startswith("_"))
        if words != model.labels:
            dataset = open_dataset(folder, layout, DatasetOptions(SpeechOptions(words=words, seed=chosen.seed)))
        elif labels < set(dataset.classes):
            dataset = words_alone(open_dataset(folder, layout, DatasetOptions(SpeechOptions(words=words))))
    if not set(dataset.classes) <= labels:
        raise UsageError(
            f"the data set's classes are {', '.join(dataset.classes)}, the model's {', '.join(model.labels)}",
            hint="give the data set that the model was trained for",
        )
    return dataset


def evaluate(
    model: Model, dataset: Dataset, split: str, limit: int | None = None, progress: Progress | None = None
) -> Evaluation:
    """Score ``model`` on the samples of a split (``all`` for every one), at most ``limit`` drawn evenly.

    Damaged samples are left out, named and counted. Raises UsageError where model and data do not go together.
    """
    reference = Reference(model.content)
    graph = reference.graph
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UsageError(f"{model.name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, not one each")
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    for tensor in (source, target):
        if tensor.quant is None:
            raise UsageError(f"{tensor.name} of {model.name} is not quantised", hint="`tinyml quantize` makes it int8")
    anomaly = model.manifest.get("task") == ANOMALY
    wanted = source.elements if anomaly else len(model.labels)
    if target.elements != wanted:
        raise UsageError(
            f"the model {model.name} gives {target.elements} values, its manifest tells of {wanted}",
            hint="the .json beside the .tflite has to be the one that was written with it",
        )
    prepare = _preparation(model, dataset, source, windows=anomaly)
    samples = _chosen(dataset, split, limit)
    outputs, truths, skipped = [], [], []
    for number, sample in enumerate(samples):
        try:
            codes = prepare(sample.decode())
        except CorruptSampleError as error:
            skipped.append(Skipped(sample.name, str(error)))
        else:
            said = [reference.run([window.reshape(source.shape)])[0].reshape(-1) for window in codes]
            outputs.append(_error(codes, np.stack(said), source, target) if anomaly else _real(said[0], target))
            truths.append(model.labels.index(dataset.classes[sample.label]))
        if progress is not None:
            progress(number + 1, len(samples))
    if not outputs:
        raise UsageError(
            f"the {split} split has {len(samples)} samples and {len(skipped)} of them are damaged",
            hint="`tinyml data info FOLDER --check` names them; --split all takes every sample",
        )
    shared = {
        "model": model.name,
        "data": dataset.layout,
        "split": split,
        "labels": model.labels,
        "skipped": tuple(skipped),
        "notes": dataset.notes,
    }
    made = anomaly_scores if anomaly else class_scores
    return made(np.asarray(outputs, np.float64), np.asarray(truths, np.int64), shared)


def class_scores(scores: NDArray[np.float64], truths: NDArray[np.int64], shared: Mapping[str, Any]) -> Evaluation:
    """The evaluation of class scores ``[examples, classes]``; ``shared`` has the fields that say what was run."""
    labels = shared["labels"]
    matrix = confusion_matrix(truths, scores.argmax(axis=1), len(labels))
    rocs = {
        index: roc_curve(scores[:, index], truths == index)
        for index in range(len(labels))
        if 0 < np.sum(truths == index) < len(truths)
    }
    classes = tuple(
        ClassScore(name, int(matrix[index].sum()), said, found, area(rocs[index]) if index in rocs else None)
        for index, (name, said, found) in enumerate(zip(labels, precision(matrix), recall(matrix), strict=True))
    )
    areas = [one.auc for one in classes if one.auc is not None]
    return Evaluation(
        **shared,
        task=CLASSIFY,
        examples=len(truths),
        value=top_k_accuracy(scores, truths),
        auc=float(np.mean(areas)) if areas else None,
        partial_auc=None,
        confusion=matrix,
        classes=classes,
        rocs=tuple((labels[index], roc) for index, roc in rocs.items()),
    )


def anomaly_scores(errors: NDArray[np.float64], truths: NDArray[np.int64], shared: Mapping[str, Any]) -> Evaluation:
    """The evaluation of reconstruction errors ``[recordings]``; truth 1 is anomalous.

    Raises UsageError where all recordings are normal, or none is.
    """
    if not 0 < truths.sum() < len(truths):
        raise UsageError(
            f"{int(truths.sum())} of {len(truths)} recordings are anomalous: both kinds are needed",
            hint="the test split has both; training and validation have normal recordings alone",
        )
    roc = roc_curve(errors, truths == 1)
    whole = area(roc)
    names = shared["labels"]
    classes = tuple(ClassScore(name, int(np.sum(truths == k)), None, None, None) for k, name in enumerate(names))
    return Evaluation(
        **shared,
        task=ANOMALY,
        examples=len(truths),
        value=whole,
        auc=whole,
        partial_auc=partial_area(roc),
        confusion=np.zeros((0, 0), np.int64),
        classes=classes,
        rocs=((names[1], roc),),
    )


def _chosen(dataset: Dataset, split: str, limit: int | None) -> tuple[Sample, ...]:
    if split == ALL:
        samples = tuple({sample.name: sample for one in SPLITS for sample in dataset.samples(one)}.values())
    else:
        samples = dataset.samples(split)
    if limit is not None and limit < len(samples):
        samples = tuple(samples[index] for index in np.linspace(0, len(samples) - 1, limit).round().astype(int))
    return samples


def _preparation(model: Model, dataset: Dataset, source: Tensor, *, windows: bool) -> Prepare:
    """From a decoded sample to codes ``[windows, elements]`` as the model takes them."""
    kind = IMAGE if model.frontend.get("kind") == IMAGE else AUDIO
    if kind != dataset.kind:
        raise UsageError(
            f"the model {model.name} takes {kind}, the data set holds {dataset.kind}",
            hint="give the kind of data that the model was trained on",
        )
    if kind == IMAGE:
        picture = ImageConfig.from_json(model.frontend)
        _require_elements(model, source, picture.size**2 * picture.channels)
        return lambda value: _requantised(picture.process(value).reshape(1, -1), picture, source)
    sound = audio_config(model.frontend)
    frames, rest = divmod(source.elements, sound.features)
    if dataset.sample_rate_hz != sound.sample_rate_hz or rest:
        raise UsageError(
            f"the model takes {source.elements} features of sound at {sound.sample_rate_hz} Hz in frames of"
            f" {sound.features}, the data set has {dataset.sample_rate_hz} Hz"
        )

    def prepare(value: NDArray[Any]) -> Codes:
        features = audio_features(value, sound)
        if len(features) < frames or (len(features) != frames and not windows):
            raise UsageError(
                f"clips give {len(features)} frames of features, the model takes {frames}",
                hint="give clips as long as those that the model was trained on",
            )
        starts = np.arange(0, len(features) - frames + 1, WINDOW_STRIDE)
        cut = features[np.add.outer(starts, np.arange(frames))].reshape(len(starts), -1)
        return _requantised(cut, sound, source)

    return prepare


def _require_elements(model: Model, source: Tensor, elements: int) -> None:
    if source.elements != elements:
        raise UsageError(f"the model {model.name} takes {source.elements} values, its front-end gives {elements}")


def _requantised(codes: Codes, config: Any, source: Tensor) -> Codes:
    """The front-end's codes in the model's own input quantisation; unchanged where the two agree."""
    scale, zero_point = config.input_scale, config.input_zero_point
    if zero_point == source.zero_point and np.isclose(scale, source.scale, rtol=1e-6, atol=0.0):
        return codes
    real = (codes.astype(np.float64) - zero_point) * scale
    return np.asarray(np.clip(np.round(real / source.scale) + source.zero_point, -128, 127), np.int8)


def _real(codes: NDArray[Any], tensor: Tensor) -> NDArray[np.float64]:
    return np.asarray((codes.astype(np.float64) - tensor.zero_point) * tensor.scale)


def _error(codes: Codes, said: NDArray[Any], source: Tensor, target: Tensor) -> float:
    """Mean squared error of the reconstruction over a recording's windows."""
    return float(np.mean((_real(said, target) - _real(codes, source)) ** 2))
