"""Keras model → full-integer int8 ``.tflite``: batch 1, int8 in and out, no float left.

The variables are frozen into the traced function before conversion. A saved model, which
``TFLiteConverter.from_keras_model`` makes, sorts several inputs by name while the calibration feeds them by position,
and leaves ``SHAPE/STRIDED_SLICE/PACK`` where the batch is unknown.
"""

from __future__ import annotations

import re
import struct
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import TinymlError, UnsupportedError, UsageError
from tinyml.tflite.keras_layers import register_layers
from tinyml.tflite.quiet import import_keras, import_tensorflow, quiet_native_stderr

Sample = npt.NDArray[Any] | Sequence[npt.NDArray[Any]]
FloatArray = npt.NDArray[np.float32]


def load_keras(path: Path | str) -> Any:
    """Read a ``.keras`` file without running any code that it may carry (Keras' safe mode).

    Raises:
        UsageError: there is no such file, or it is not a ``.keras`` file.
        UnsupportedError: the file is damaged, or needs custom classes or Lambda layers.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no model file {path}", hint="give a .keras file that model.save(...) wrote")
    if path.suffix != ".keras":
        raise UsageError(f"{path} is not a .keras file", hint="save it with model.save('model.keras') in Keras 3")
    if not zipfile.is_zipfile(path):
        raise UnsupportedError(
            f"{path} is damaged: {path.stat().st_size} bytes that are no .keras archive",
            hint="save the model again with model.save('model.keras')",
        )
    keras = import_keras()
    register_layers()
    try:
        with warnings.catch_warnings(), quiet_native_stderr():
            warnings.simplefilter("ignore")
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras raises whatever the damaged part happens to trip over: KeyError, BadZipFile, OSError, ValueError …
        raise UnsupportedError(f"cannot load {path}: {_first_line(error)}", hint=_load_hint(str(error))) from error


def convert(
    model: Any,
    samples: Iterable[Sample],
    *,
    per_channel_dense: bool = False,
    input_ranges: Sequence[tuple[float, float] | None] | None = None,
) -> bytes:
    """Convert a ``keras.Model`` into a full-integer int8 ``.tflite`` with batch 1.

    Args:
        model: a built functional or sequential model; a batch of None becomes 1.
        samples: representative inputs in float32, one example each: an array of the input's shape (with or without a
            leading 1), or a tuple of such arrays in the order of ``model.inputs``. They set the activation ranges.
        per_channel_dense: give every unit of a dense layer a weight scale of its own. Runtimes before LiteRT 2.x
            silently ignore these scales, so they are off by default.
        input_ranges: for each input the real values that -128 and 127 stand for, or None to take the samples' range.
            Used where the input's quantisation is given by what comes before the network, such as an audio front-end.

    Raises:
        UnsupportedError: a dynamic shape, a layer the converter cannot express in int8, weights that are not finite.
        UsageError: samples are missing, not finite or of the wrong shape.
    """
    shapes = _input_shapes(model)
    _check_weights(model)
    examples = _check_samples(samples, shapes)
    calibration = list(examples if input_ranges is None else _within(examples, input_ranges))
    content = _shorten_names(_run_converter(model, shapes, calibration, per_channel_dense), model)
    check_full_integer(content)
    return content


def settle_batch_norms(model: Any, samples: Iterable[Sample]) -> None:
    """Give every batch normalisation of ``model`` the statistics of ``samples``, as ``convert`` takes them, in place.

    A model of a fixed batch takes its first samples alone.
    """
    keras = import_keras()
    layers = model._flatten_layers(include_self=False)
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    known = [norm.momentum for norm in norms]
    inputs = [np.stack(arrays)[: model.inputs[0].shape[0]] for arrays in zip(*samples, strict=True)]
    for norm in norms:
        norm.momentum = 0.0
    model(inputs if len(inputs) > 1 else inputs[0], training=True)
    for norm, momentum in zip(norms, known, strict=True):
        norm.momentum = momentum


def check_full_integer(content: bytes) -> None:
    """Check that no tensor is float and that inputs are int8, as outputs are but for places, which ARG_MAX gives.

    Raises:
        UnsupportedError: names the first op that stayed in float and the layer it came from.
    """
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = file.subgraphs[0]
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    types = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
    floats = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16, schema.TensorType.FLOAT64)
    for op in graph.operators:
        code = file.operatorCodes[op.opcodeIndex]
        kind = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "?")
        if kind not in ("QUANTIZE", "DEQUANTIZE") and any(graph.tensors[i].type in floats for i in op.outputs):
            layer = graph.tensors[op.outputs[0]].name.decode("utf-8", "replace")
            raise UnsupportedError(
                f"{kind} of layer {layer!r} stays in float after conversion",
                hint="replace the layer by one with an int8 form; layer norm: multiply by rsqrt, x * x for square",
            )
    counted = (schema.TensorType.INT32, schema.TensorType.INT64)
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.type != schema.TensorType.INT8 and (index in graph.inputs or tensor.type not in counted):
            raise UnsupportedError(
                f"{tensor.name.decode('utf-8', 'replace')!r} is {types.get(tensor.type, '?').lower()}, not int8",
                hint="inputs and outputs have to be real numbers that can be quantised",
            )


def _input_shapes(model: Any) -> list[tuple[int, ...]]:
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise UnsupportedError(
            f"model {getattr(model, 'name', '?')!r} has no defined inputs",
            hint="build it with keras.Input(shape=…), or call model.build(input_shape) first",
        )
    shapes = []
    for tensor in inputs:
        if any(side is None for side in tensor.shape[1:]):
            raise UnsupportedError(
                f"input {tensor.name!r} has the dynamic shape {tuple(tensor.shape)}",
                hint="a microcontroller's memory is planned ahead: give every side of keras.Input(shape=…) a number",
            )
        shapes.append((1, *(int(side) for side in tensor.shape[1:])))
    return shapes


def _check_weights(model: Any) -> None:
    for weight in model.weights:
        if not np.all(np.isfinite(np.asarray(weight, dtype=np.float64))):
            raise UnsupportedError(
                f"weight {weight.path!r} holds values that are not finite",
                hint="the training diverged: lower the learning rate and train again",
            )


def _check_samples(samples: Iterable[Sample], shapes: Sequence[tuple[int, ...]]) -> Iterator[list[FloatArray]]:
    count = 0
    for count, sample in enumerate(samples, 1):
        parts = [sample] if isinstance(sample, np.ndarray) else list(sample)
        if len(parts) != len(shapes):
            raise UsageError(f"representative sample {count} has {len(parts)} inputs, the model {len(shapes)}")
        arrays = []
        for part, shape in zip(parts, shapes, strict=True):
            array = np.asarray(part, dtype=np.float32)
            if array.shape not in (shape, shape[1:]):
                raise UsageError(f"representative sample {count} has the shape {array.shape}, the input {shape[1:]}")
            if not np.all(np.isfinite(array)):
                raise UsageError(f"representative sample {count} holds values that are not finite")
            arrays.append(array.reshape(shape))
        yield arrays
    if not count:
        raise UsageError("no representative samples", hint="quantisation needs some of the training data, 100 or so")


def _within(
    examples: Iterator[list[FloatArray]], ranges: Sequence[tuple[float, float] | None]
) -> Iterator[list[FloatArray]]:
    """The samples clipped to the ranges, the first one holding both ends, so that calibration finds exactly those.

    Only the first sample's own smallest and largest element move: whole samples of extremes would stretch the ranges
    of the layers behind, too.
    """
    for count, arrays in enumerate(examples):
        if len(ranges) != len(arrays):
            raise UsageError(f"{len(ranges)} input ranges for {len(arrays)} inputs")
        clipped = []
        for array, limits in zip(arrays, ranges, strict=True):
            if limits is None:
                clipped.append(array)
                continue
            inside = np.clip(array, *limits)
            if count == 0:
                inside.flat[int(np.argmax(array)) if np.ptp(array) else -1] = limits[1]
                inside.flat[int(np.argmin(array))] = limits[0]
            clipped.append(inside)
        yield clipped


def _run_converter(
    model: Any, shapes: Sequence[tuple[int, ...]], calibration: list[list[FloatArray]], per_channel_dense: bool
) -> bytes:
    tf = import_tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def forward(*inputs: Any) -> Any:
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    try:
        with warnings.catch_warnings(), quiet_native_stderr():
            warnings.simplefilter("ignore")
            specs = [
                tf.TensorSpec(shape, tf.float32, name=re.sub(r"[^A-Za-z0-9_.]", "_", f"{tensor.name}"))
                for shape, tensor in zip(shapes, model.inputs, strict=True)
            ]
            frozen = convert_variables_to_constants_v2(tf.function(forward).get_concrete_function(*specs))
            _check_no_loops(frozen.graph, model)
            converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: iter(calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
            converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel_dense
            return bytes(converter.convert())
    except TinymlError:
        raise
    except Exception as error:
        # the converter has no error type of its own: MLIR's diagnostics come as RuntimeError, ValueError and others
        text = "\n".join((str(error), *getattr(error, "__notes__", ())))
        layer = _named_layer(text, model)
        where = f"layer {layer!r}" if layer else f"model {model.name!r}"
        raise UnsupportedError(
            f"{where} cannot be converted to int8 TFLite: {_first_line(error)}",
            hint="docs/supported-ops.md lists the ops; replace the layer by one made of those",
        ) from error


def _check_no_loops(graph: Any, model: Any) -> None:
    """Refuse loops and branches: calibrating an int8 WHILE crashes the converter's process."""
    for op in graph.get_operations():
        if op.type in ("Enter", "Merge", "While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"):
            raise UnsupportedError(
                f"layer {_named_layer(op.name, model) or op.name!r} is a loop or a branch, which has no int8 form",
                hint="recurrent layers: unroll=True, or a convolution over time",
            )


def _named_layer(text: str, model: Any) -> str | None:
    """The deepest Keras layer that a diagnostic names: the last part of a scope ``model/layer_1/Op`` that is one."""
    layers = {layer.name for layer in model._flatten_layers(include_self=False)}
    for path in re.findall(r"[\w.\-]+(?:/[\w.\-]+)+", text):
        for part in reversed(path.split("/")):
            for name in (part, re.sub(r"_\d+$", "", part)):
                if name in layers:
                    return str(name)
    return None


def _shorten_names(content: bytes, model: Any) -> bytes:
    """Tensor names without the model's scope and without the number that Keras' second scope gives each layer.

    ``functional_1/stem_1/convolution`` becomes ``stem/convolution``: a layer opens its scope once for its checks and
    once more, numbered, for its ops. A FlatBuffers string may shrink in place: its
    length is written before it, so no offset moves.
    """
    from ai_edge_litert import schema_py_generated as schema

    layers = {layer.name for layer in model._flatten_layers(include_self=False)}
    names = [tensor.name for tensor in schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0].tensors]
    for old in sorted({name for name in names if name}, key=len, reverse=True):
        new = ";".join(_short_path(path, model.name, layers) for path in old.decode("utf-8").split(";")).encode()
        if len(new) < len(old):
            stored = struct.pack("<I", len(old)) + old + b"\0"
            content = content.replace(stored, (struct.pack("<I", len(new)) + new).ljust(len(stored), b"\0"))
    return content


def _short_path(path: str, model_name: str, layers: set[str]) -> str:
    parts = path.split("/")
    if len(parts) > 1 and re.sub(r"_\d+$", "", parts[0]) in (model_name, re.sub(r"_\d+$", "", model_name)):
        parts = parts[1:]
    short = []
    for part in parts:
        bare = re.sub(r"_\d+$", "", part)
        short.append(bare if bare in layers else part)
    return "/".join(short)


def _first_line(error: BaseException) -> str:
    """What an exception says in one line, from MLIR's ``file:line:column: error:`` onwards where it has one."""
    diagnostic = re.search(r"error: ([^\n]+)", str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = diagnostic[1] if diagnostic else lines[0] if lines else type(error).__name__
    return re.split(r"\.\s", first)[0][:300].rstrip(".")


def _load_hint(text: str) -> str:
    if "safe_mode" in text or "Lambda" in text or "unsafe" in text:
        return "the file holds a Lambda layer, that is, code; write the layer with keras.ops or as built-in layers"
    if "register" in text or "custom" in text or "locate" in text:
        return "models made of Keras' own layers load without code; replace the custom layer by those"
    return "save the model again with model.save('model.keras')"
