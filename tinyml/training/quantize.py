"""A trained model → int8 ``.tflite`` with its manifest, float and int8 scores side by side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinyml
from tinyml.compression.calibration import MINMAX
from tinyml.compression.qat import convert_prepared
from tinyml.compression.sqnr import LayerError, layer_errors
from tinyml.errors import UsageError
from tinyml.files import write_file
from tinyml.tflite.convert import convert
from tinyml.training.calibrated import CONVERTER, Calibration, batches_of, calibrate_best
from tinyml.training.evaluate import Scores, detection_threshold, evaluate_float, evaluate_int8, predict_int8
from tinyml.training.examples import CLASSIFY, TrainingData

CALIBRATION_EXAMPLES = 300


@dataclass(frozen=True)
class Quantised:
    """An int8 model, and how it does on the test split beside the float model it came from.

    ``threshold`` is :func:`detection_threshold` on the validation split, None where there is nothing to detect.
    ``calibration`` are the ways of finding ranges that were tried, the chosen one first; none where the converter or
    training found them. ``report`` are the errors by layer, where they were asked for.
    """

    content: bytes
    float_scores: Scores
    int8_scores: Scores
    input_scale: float
    input_zero_point: int
    threshold: float | None = None
    calibration: tuple[Calibration, ...] = ()
    report: tuple[LayerError, ...] | None = None

    @property
    def loss(self) -> float:
        """What quantisation costs: float score minus int8 score, in the same unit (0.01 is one point)."""
        return self.float_scores.value - self.int8_scores.value

    @property
    def sha256(self) -> str:
        """Hash of the ``.tflite`` file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The object that ``tinyml quantize --json`` prints, but for where the file lies."""
        return {
            "bytes": len(self.content),
            "sha256": self.sha256,
            "input": {"scale": self.input_scale, "zero_point": self.input_zero_point},
            "float": self.float_scores.as_json(),
            "int8": self.int8_scores.as_json(),
            "loss": self.loss,
            "threshold": self.threshold,
            "calibration": [tried.to_json() for tried in self.calibration],
            "report": None if self.report is None else [error.to_json() for error in self.report],
        }


def quantise(
    model: Any,
    data: TrainingData,
    *,
    examples: int = CALIBRATION_EXAMPLES,
    seed: int = 0,
    per_channel_dense: bool = False,
    prepared: Any = None,
    calibration: str = CONVERTER,
    report: bool = False,
) -> Quantised:
    """Convert ``model`` to int8, calibrated on training examples, and score both on the test split.

    The input's quantisation is the front-end's, so that its bytes are the network's input bytes. ``prepared`` is the
    same network trained further by :mod:`tinyml.compression.qat`: it is then what is converted, with its own ranges.
    ``calibration`` is one of :data:`tinyml.training.calibrated.CHOICES`; ``report`` measures the errors by layer.

    Raises:
        UsageError: the model's input or number of classes is not the data's, or a calibration is asked for where
            ranges are trained.
        UnsupportedError: the model cannot be converted.
    """
    check_matches(model, data)
    chosen = calibration_rows(data, examples, seed)
    samples = (data.real(data.plain.codes[row : row + 1])[0] for row in chosen)
    tried: tuple[Calibration, ...] = ()
    if calibration != CONVERTER:
        if prepared is not None:
            raise UsageError("the ranges of this run are trained", hint="leave --calibration out")
        prepared, tried = calibrate_best(model, data, chosen, calibration, per_channel_dense)
    if prepared is None:
        content = convert(model, samples, per_channel_dense=per_channel_dense, input_ranges=[data.input_range])
    else:
        content = convert_prepared(prepared, samples, per_channel_dense=per_channel_dense)
    errors = None
    if report:
        simulated = prepared or calibrate_best(model, data, chosen, MINMAX, per_channel_dense)[0]
        errors = layer_errors(simulated, batches_of(data, chosen)[0])
    scale, zero_point = _input_quantisation(content)
    return Quantised(
        content=content,
        float_scores=evaluate_float(model, data, data.test),
        int8_scores=evaluate_int8(content, data, data.test),
        input_scale=scale,
        input_zero_point=zero_point,
        threshold=_threshold(content, data),
        calibration=tried,
        report=errors,
    )


def calibration_rows(data: TrainingData, examples: int, seed: int) -> list[int]:
    """Rows of ``data.plain``, as many of each label as there are, up to ``examples`` in all."""
    rng = np.random.default_rng(seed)
    groups = [rng.permutation(np.flatnonzero(data.plain.labels == label)) for label in np.unique(data.plain.labels)]
    deepest = max((len(group) for group in groups), default=0)
    rows = [int(group[depth]) for depth in range(deepest) for group in groups if depth < len(group)]
    return rows[:examples]


def check_matches(model: Any, data: TrainingData) -> None:
    """Check that the model takes the data's examples and gives one output a label.

    Raises:
        UsageError: says both shapes or both counts.
    """
    shape = tuple(model.input_shape[1:])
    if shape != data.input_shape:
        raise UsageError(
            f"the model takes inputs of {shape}, the data gives {data.input_shape}",
            hint="build the model for the data's shape, or choose data and options for this model",
        )
    outputs = int(model.output_shape[-1])
    if data.objective == CLASSIFY and outputs != len(data.labels):
        raise UsageError(
            f"the model has {outputs} outputs, the data {len(data.labels)} classes: {', '.join(data.labels)}",
            hint="give the model's build_model a parameter classes, or choose as many --words as it has outputs",
        )


def write_model(output: Path, quantised: Quantised, data: TrainingData, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the ``.tflite`` at ``output`` and its manifest beside it (``.json``); gives the manifest.

    Raises:
        UsageError: the place cannot be written.
    """
    manifest = manifest_of(quantised, data, facts)
    write_file(output, quantised.content)
    write_file(output.with_suffix(".json"), json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return manifest


def manifest_of(quantised: Quantised, data: TrainingData, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What travels with an int8 model: labels, front-end, scores, hash; ``facts`` come first."""
    metric = quantised.int8_scores.metric
    return {
        **facts,
        "task": data.task,
        "labels": list(data.labels),
        "frontend": dict(data.frontend),
        "input": {
            "shape": list(data.input_shape),
            "scale": quantised.input_scale,
            "zero_point": quantised.input_zero_point,
        },
        metric: {"float": quantised.float_scores.value, "int8": quantised.int8_scores.value},
        "recall": dict(zip(quantised.int8_scores.labels, quantised.int8_scores.recalls(), strict=True)),
        "threshold": quantised.threshold,
        "calibration": quantised.calibration[0].to_json() if quantised.calibration else None,
        "counts": {split: dict(counts) for split, counts in data.counts.items()},
        "test_examples": quantised.int8_scores.examples,
        "bytes": len(quantised.content),
        "sha256": quantised.sha256,
        "tinyml_version": tinyml.__version__,
    }


def _threshold(content: bytes, data: TrainingData) -> float | None:
    if data.objective != CLASSIFY or not any(name.startswith("_") for name in data.labels):
        return None
    outputs = predict_int8(content, data, data.validation.codes)
    return detection_threshold(outputs, data.validation.labels, data.labels)


def _input_quantisation(content: bytes) -> tuple[float, int]:
    from ai_edge_litert.interpreter import Interpreter

    scale, zero_point = Interpreter(model_content=content).get_input_details()[0]["quantization"]
    return float(scale), int(zero_point)
