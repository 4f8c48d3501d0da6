"""What the firmware is run on for the proof: seeded random inputs, the extremes, and the user's own files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import UsageError
from tinyml.graph.ir import DType, Graph, Tensor

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Stimulus:
    """One set of network inputs: an array for each, of that input's shape and dtype, and a name for reports."""

    name: str
    arrays: tuple[Array, ...]

    @property
    def content(self) -> bytes:
        """All inputs one after the other, as ``network_run`` takes them."""
        return b"".join(np.ascontiguousarray(a).tobytes() for a in self.arrays)


def proof_stimuli(graph: Graph, random_count: int, seed: int = 0) -> list[Stimulus]:
    """The lowest, the highest and the all-zero-point input, then ``random_count`` seeded uniform ones.

    Integer inputs are drawn from their whole range; float inputs, which only stand before a QUANTIZE, from [-4, 4).
    """
    tensors = [graph.tensors[i] for i in graph.inputs]
    source = np.random.default_rng(seed)
    fixed = [
        Stimulus("lowest", tuple(_full(t, _limits(t)[0]) for t in tensors)),
        Stimulus("highest", tuple(_full(t, _limits(t)[1]) for t in tensors)),
        Stimulus("zero point", tuple(_full(t, _zero(t)) for t in tensors)),
    ]
    drawn = [Stimulus(f"random {i}", tuple(_draw(t, source) for t in tensors)) for i in range(random_count)]
    return fixed + drawn


def _limits(tensor: Tensor) -> tuple[float, float]:
    if tensor.dtype is DType.FLOAT32:
        return -4.0, 4.0
    if tensor.dtype is DType.BOOL:
        return 0, 1
    info = np.iinfo(tensor.dtype.numpy)
    return info.min, info.max


def _zero(tensor: Tensor) -> float:
    return tensor.zero_point if tensor.quant else 0


def _full(tensor: Tensor, value: float) -> Array:
    return np.full(tensor.shape, value, tensor.dtype.numpy)


def _draw(tensor: Tensor, source: np.random.Generator) -> Array:
    low, high = _limits(tensor)
    if tensor.dtype is DType.FLOAT32:
        return source.uniform(low, high, tensor.shape).astype(np.float32)
    return source.integers(int(low), int(high), tensor.shape, dtype=tensor.dtype.numpy, endpoint=True)


def file_stimuli(graph: Graph, files: Sequence[Path], manifest: dict[str, Any]) -> list[Stimulus]:
    """The user's files as inputs of a network with one input.

    ``.npy`` holds one input or a stack of them, int8 as the network takes it or float, which is quantised by the
    input's scale and zero point. ``.wav`` goes through the model's own front-end (``manifest["frontend"]``), images
    through the integer resizing of :mod:`tinyml.features.image`.

    Raises:
        UsageError: a missing or unreadable file, a wrong shape, audio for a model without a front-end.
    """
    if len(graph.inputs) != 1:
        raise UsageError(f"the model has {len(graph.inputs)} inputs; input files are for models with one")
    tensor = graph.tensors[graph.inputs[0]]
    stimuli: list[Stimulus] = []
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no input file {file}")
        arrays = _load(file, tensor, manifest)
        named = [file.name] if len(arrays) == 1 else [f"{file.name}[{i}]" for i in range(len(arrays))]
        stimuli += [Stimulus(name, (array,)) for name, array in zip(named, arrays, strict=True)]
    return stimuli


def _load(file: Path, tensor: Tensor, manifest: dict[str, Any]) -> list[Array]:
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return _load_numpy(file, tensor)
    if suffix == ".wav":
        return [_load_audio(file, tensor, manifest)]
    if suffix in (".png", ".jpg", ".jpeg", ".bmp"):
        return [_load_image(file, tensor)]
    raise UsageError(f"cannot read {file} as an input", hint="give .npy, .wav, .png or .jpg files")


def _load_numpy(file: Path, tensor: Tensor) -> list[Array]:
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UsageError(f"{file} is no NumPy array file: {error}") from error
    single = array.size == tensor.elements
    if not single and array.shape[1:] not in (tensor.shape, tensor.shape[1:]):
        raise UsageError(f"{file} has the shape {array.shape}, the model's input {tensor.shape}")
    rows = [array] if single else list(array)
    return [_quantise(row.reshape(tensor.shape), tensor) for row in rows]


def _quantise(array: Array, tensor: Tensor) -> Array:
    if array.dtype == tensor.dtype.numpy:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UsageError(f"the values are {array.dtype}, the model's input {tensor.dtype.value} or float")
    if tensor.quant is None:
        return array.astype(tensor.dtype.numpy)
    info = np.iinfo(tensor.dtype.numpy)
    steps = np.round(array / tensor.scale) + tensor.zero_point
    return np.clip(steps, info.min, info.max).astype(tensor.dtype.numpy)
