"""Cross-layer equalisation: channels of one kernel made alike in size, the next kernel undoing it.

A ReLU, a pool or nothing between two kernels lets a positive factor through, so dividing an output channel of the first
by ``s`` and multiplying the second's input channel by it changes nothing in float; with ``s = sqrt(r1 / r2)`` the
ranges of both become ``sqrt(r1 * r2)`` (Nagel et al. 2019, arXiv:1906.04721, section 4.1). A ReLU6 does not let it
through.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.compression.fold import fold, has_kernel, is_depthwise
from tinyml.compression.rebuild import Call, Calls, calls_of
from tinyml.compression.ties import activation_of, kind

SWEEPS = 20
HOMOGENEOUS = (
    "MaxPooling1D",
    "MaxPooling2D",
    "AveragePooling1D",
    "AveragePooling2D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "Dropout",
    "Identity",
)
"""Layers that give twice the values for twice the values, channel by channel."""


def equalise(model: Any) -> Any:
    """A folded copy of a model whose neighbouring kernels have channels of like size; it computes the same in float.

    Raises:
        UnsupportedError: the model cannot be folded.
    """
    folded = fold(model)
    pairs = _pairs(calls_of(folded))
    for _ in range(SWEEPS if pairs else 0):
        for first, second in pairs:
            _balance(first, second)
    return folded


def _pairs(graph: Calls) -> list[tuple[Any, Any]]:
    """Kernels that follow each other with nothing between that a factor cannot pass."""
    uses = graph.uses()
    found = []
    for call in graph.calls:
        if not has_kernel(call.operation) or uses[id(call.operation)] != 1:
            continue
        behind: Call | None = graph.sole_consumer(call)
        while behind is not None and _passes(behind.operation):
            behind = graph.sole_consumer(behind)
        if behind is None or not has_kernel(behind.operation) or uses[id(behind.operation)] != 1:
            continue
        if getattr(behind.operation, "groups", 1) == 1:
            found.append((call.operation, behind.operation))
    return found


def _passes(layer: Any) -> bool:
    if kind(layer) == "ReLU":
        return layer.max_value is None and not layer.threshold
    return kind(layer) in HOMOGENEOUS or activation_of(layer) in ("relu", "linear")


def _balance(first: Any, second: Any) -> None:
    kernel, *bias = first.get_weights()
    following, *rest = second.get_weights()
    outputs = kernel.reshape(*kernel.shape[:-2], -1) if is_depthwise(first) else kernel
    sizes = _largest(outputs, outputs.ndim - 1)
    wanted = _largest(following, following.ndim - 2)
    alive = (sizes > 0) & (wanted > 0)
    factor = np.where(alive, np.sqrt(np.where(alive, sizes, 1) / np.where(alive, wanted, 1)), 1).astype(np.float32)
    first.set_weights([(outputs / factor).reshape(kernel.shape), *(offset / factor for offset in bias)])
    second.set_weights([following * factor[:, np.newaxis], *rest])


def _largest(kernel: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """The largest size of a weight along an axis."""
    others = tuple(other for other in range(kernel.ndim) if other != axis)
    largest: npt.NDArray[np.float32] = np.abs(kernel).max(axis=others)
    return largest
