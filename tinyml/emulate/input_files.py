"""The user's own files as network inputs: NumPy arrays, clips through the front-end, pictures through the resizing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.emulate.stimuli import Stimulus
from tinyml.errors import UsageError
from tinyml.features.codes import as_input, quantised
from tinyml.graph.ir import Graph, Tensor

Array = npt.NDArray[Any]
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def file_stimuli(graph: Graph, files: Sequence[Path], manifest: Mapping[str, Any]) -> list[Stimulus]:
    """The user's files as inputs of a network with one input.

    ``.npy`` holds one input or a stack of them, int8 as the network takes it or float, which is quantised by the
    input's scale and zero point. ``.wav`` goes through the model's own front-end (``manifest["frontend"]``), a picture
    through the integer resizing of :mod:`tinyml.features.image`.

    Raises:
        UsageError: a missing or unreadable file, a wrong shape, audio for a model without a front-end.
    """
    if len(graph.inputs) != 1:
        raise UsageError(
            f"the model has {len(graph.inputs)} inputs; input files are for models with one",
            hint="leave --input out: the proof draws inputs of its own",
        )
    tensor = graph.tensors[graph.inputs[0]]
    stimuli: list[Stimulus] = []
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no input file {file}")
        arrays = _load(file, tensor, manifest)
        named = [file.name] if len(arrays) == 1 else [f"{file.name}[{i}]" for i in range(len(arrays))]
        stimuli += [Stimulus(name, (array,)) for name, array in zip(named, arrays, strict=True)]
    return stimuli


def _load(file: Path, tensor: Tensor, manifest: Mapping[str, Any]) -> list[Array]:
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return _load_numpy(file, tensor)
    if suffix == ".wav":
        return [_load_audio(file, tensor, manifest)]
    if suffix in IMAGE_SUFFIXES:
        return [_load_image(file, tensor)]
    raise UsageError(f"cannot read {file} as an input", hint="give .npy, .wav, .png or .jpg files")


def _load_numpy(file: Path, tensor: Tensor) -> list[Array]:
    try:
        array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise UsageError(f"{file} is no array of numbers", hint="save one array with numpy.save")
    except (ValueError, OSError, EOFError) as error:
        raise UsageError(f"{file} is no NumPy array file: {error}") from error
    single = array.size == tensor.elements
    if not single and array.shape[1:] not in (tensor.shape, tensor.shape[1:]):
        raise UsageError(
            f"{file} has the shape {array.shape}, the model's input {tensor.shape}",
            hint="save one input, or a stack of inputs along the first axis",
        )
    rows = [array] if single else list(array)
    return [quantised(row.reshape(tensor.shape), tensor) for row in rows]


def _load_audio(file: Path, tensor: Tensor, manifest: Mapping[str, Any]) -> Array:
    from tinyml.data.audio import decode_wav, fit_length, resample
    from tinyml.data.base import CorruptSampleError
    from tinyml.features.audio import audio_config, audio_features

    definition = manifest.get("frontend")
    if not isinstance(definition, Mapping) or not {"sample_rate_hz", "kind"} & set(definition):
        raise UsageError(
            f"cannot feed {file}: the model has no audio front-end beside it",
            hint="keep the .json that `tinyml quantize` wrote next to the .tflite, or give features as .npy",
        )
    config = audio_config(definition)
    frames, rest = divmod(tensor.elements, config.features)
    if rest:
        raise UsageError(f"the model's input {tensor.shape} holds no whole frames of {config.features} features")
    try:
        rate_hz, samples = decode_wav(file.read_bytes())
    except CorruptSampleError as error:
        raise UsageError(f"{file} {error}") from error
    wanted = config.window_samples + (frames - 1) * config.hop_samples
    clip_samples = max(wanted, config.sample_rate_hz * round(wanted / config.sample_rate_hz))
    clip = fit_length(resample(samples, rate_hz, config.sample_rate_hz), clip_samples)
    codes = audio_features(clip, config)[:frames]
    return as_input(codes, config.input_scale, config.input_zero_point, tensor)


def _load_image(file: Path, tensor: Tensor) -> Array:
    from tinyml.data.base import CorruptSampleError
    from tinyml.data.pictures import decode_picture
    from tinyml.features.image import ImageConfig

    if len(tensor.shape) != 4 or tensor.shape[1] != tensor.shape[2] or tensor.shape[3] not in (1, 3):
        raise UsageError(
            f"cannot feed the picture {file} to an input of shape {tensor.shape}",
            hint="a picture goes into a square input of 1 or 3 channels; save others with numpy.save",
        )
    try:
        pixels = decode_picture(file.read_bytes())
    except CorruptSampleError as error:
        raise UsageError(f"{file} {error}") from error
    config = ImageConfig(size=tensor.shape[1], channels=tensor.shape[3])
    return as_input(config.process(pixels), config.input_scale, config.input_zero_point, tensor)
