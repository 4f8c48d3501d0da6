"""Teachers: trained networks that a smaller one learns from, in the formats that people have them in."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.compression.fake_quant import quantised_layers
from tinyml.errors import UnsupportedError, UsageError
from tinyml.models.trained import TRAINED_DIR, trained_models
from tinyml.tflite.convert import load_keras
from tinyml.tflite.quiet import import_keras, import_tensorflow, quiet_native_stderr

Reals = npt.NDArray[np.float32]
SMALLEST = 1e-7
CODE_STEP = 1 / 256
"""What int8 probabilities are multiples of."""


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network: ``predict`` takes inputs of shape (n, *input_shape), as the teacher's own training had them.

    It gives logarithms of probabilities (or logits, which differ by a constant a row), shape (n, classes), and each
    wanted layer's output: its mean over the picture, shape (n, channels), or the whole, as ``feature_shapes`` has it.
    ``labels`` are known for a run only.
    """

    name: str
    input_shape: tuple[int, ...]
    classes: int
    predict: Callable[[Reals], tuple[Reals, list[Reals]]]
    labels: tuple[str, ...] = ()
    feature_shapes: tuple[tuple[int, ...], ...] = ()


def load_teacher(source: str, features: Sequence[str] = (), *, maps: bool = False) -> Teacher:
    """A teacher from a ``.keras``, ``.h5`` or ``.tflite`` file, a run's folder, or the name of a trained model.

    ``features`` are names of Keras layers whose outputs are wanted, too: whole ``maps``, or means over the picture.

    Raises:
        UsageError: there is no such file or name, or no such layer.
        UnsupportedError: the file cannot be loaded, or has several inputs or outputs.
    """
    path = Path(source)
    if source in trained_models():
        return _from_tflite(TRAINED_DIR / f"{source}.tflite", features, trained_models()[source].labels)
    if path.is_dir():
        return _from_keras(load_keras(path / "best.keras"), str(path), features, _run_labels(path), maps)
    if not path.is_file():
        raise UsageError(
            f"there is no teacher {source}",
            hint="give a .keras, .h5 or .tflite file, a run's folder, or a trained model's name",
        )
    if path.suffix == ".tflite":
        return _from_tflite(path, features, ())
    quantised_layers()
    model = _load_h5(path) if path.suffix in (".h5", ".hdf5") else load_keras(path)
    return _from_keras(model, str(path), features, (), maps)


def channel_means(values: Any) -> Any:
    """The mean over all axes but the batch and the channels: shape (n, channels)."""
    ops = import_keras().ops
    return ops.mean(values, axis=tuple(range(1, len(values.shape) - 1))) if len(values.shape) > 2 else values


def _from_keras(model: Any, name: str, features: Sequence[str], labels: tuple[str, ...], maps: bool) -> Teacher:
    keras = import_keras()
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnsupportedError(
            f"teacher {name} has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one"
        )
    known = {layer.name: layer for layer in model.layers}
    for feature in features:
        if feature not in known:
            raise UsageError(
                f"teacher {name} has no layer {feature!r}", hint=f"its last: {', '.join(list(known)[-8:])}"
            )
    taps = [known[feature].output if maps else channel_means(known[feature].output) for feature in features]
    network = keras.Model(model.inputs[0], [model.outputs[0], *taps])
    softmax = ends_in_softmax(model)
    compiled = import_tensorflow().function(lambda inputs: network(inputs, training=False), reduce_retracing=True)

    def predict(inputs: Reals) -> tuple[Reals, list[Reals]]:
        outputs, *values = keras.tree.flatten(compiled(inputs))
        outputs = np.asarray(outputs)
        logits = np.log(np.maximum(outputs, SMALLEST)) if softmax else outputs
        return logits, [np.asarray(value) for value in values]

    shapes = tuple(tuple(int(side) for side in tap.shape[1:]) for tap in taps)
    shape = tuple(int(side) for side in model.inputs[0].shape[1:])
    return Teacher(name, shape, int(model.outputs[0].shape[-1]), predict, labels, shapes)


def ends_in_softmax(model: Any) -> bool:
    """Whether a model's outputs are probabilities."""
    keras = import_keras()
    last = model.layers[-1]
    return getattr(last, "activation", None) is keras.activations.softmax or isinstance(last, keras.layers.Softmax)


def _from_tflite(path: Path, features: Sequence[str], labels: tuple[str, ...]) -> Teacher:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    if features:
        raise UsageError(
            f"teacher {path} is no Keras model: its layers cannot be read", hint="distil its outputs alone"
        )
    try:
        # a delegate would hide the ops, of which the last says what the outputs are
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise UnsupportedError(f"cannot load teacher {path}: {error}") from error
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    ops = [op["op_name"] for op in interpreter._get_ops_details()]
    probabilities = [name for name in ops if name not in ("QUANTIZE", "DEQUANTIZE")][-1:] == ["SOFTMAX"]

    def predict(inputs: Reals) -> tuple[Reals, list[Reals]]:
        rows = []
        for example in inputs:
            interpreter.set_tensor(source["index"], _codes(example, source)[np.newaxis])
            interpreter.invoke()
            rows.append(_reals(interpreter.get_tensor(target["index"])[0], target))
        outputs = np.stack(rows)
        return (
            np.log(np.maximum(outputs, SMALLEST if target["dtype"] is np.float32 else CODE_STEP / 2))
            if probabilities
            else outputs
        ), []

    shape = tuple(int(side) for side in source["shape"][1:])
    return Teacher(str(path), shape, int(target["shape"][-1]), predict, labels)


def _codes(example: Reals, detail: dict[str, Any]) -> npt.NDArray[Any]:
    scale, zero_point = detail["quantization"]
    if not scale:
        return example.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    codes: npt.NDArray[Any] = np.clip(np.round(example / scale) + zero_point, limits.min, limits.max)
    return codes.astype(detail["dtype"])


def _reals(codes: npt.NDArray[Any], detail: dict[str, Any]) -> Reals:
    scale, zero_point = detail["quantization"]
    return (codes.astype(np.float32) - zero_point) * np.float32(scale) if scale else codes.astype(np.float32)


def _run_labels(path: Path) -> tuple[str, ...]:
    try:
        return tuple(json.loads((path / "labels.json").read_text("utf-8"))["labels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no run folder: labels.json cannot be read ({error})",
            hint="a run's folder is what `tinyml train` leaves",
        ) from error


def _load_h5(path: Path) -> Any:
    """A model in Keras 2's HDF5 format, whose depthwise layers name a ``groups`` that Keras 3 no longer takes."""
    keras = import_keras()

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc, name-defined]
        def __init__(self, **options: Any) -> None:
            options.pop("groups", None)
            super().__init__(**options)

    try:
        with warnings.catch_warnings(), quiet_native_stderr():
            warnings.simplefilter("ignore")
            names = {"DepthwiseConv2D": DepthwiseConv2D}
            return keras.models.load_model(path, compile=False, custom_objects=names, safe_mode=True)
    except Exception as error:  # h5py and Keras raise whatever the damaged part happens to trip over
        raise UnsupportedError(
            f"cannot load teacher {path}: {str(error).splitlines()[0][:200]}",
            hint="save it with model.save('model.keras')",
        ) from error
