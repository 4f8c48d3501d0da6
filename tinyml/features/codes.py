"""Real values and a front-end's codes as a network's input takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import UsageError
from tinyml.graph.ir import DType, Tensor

Array = npt.NDArray[Any]


def quantised(array: Array, tensor: Tensor) -> Array:
    """``array`` in the tensor's dtype: as it is where it has it, floats by scale and zero point, rounded and clipped.

    Raises UsageError for another integer dtype and for values that are no numbers (NaN).
    """
    if array.dtype == tensor.dtype.numpy:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UsageError(f"the values are {array.dtype}, the model's input {tensor.dtype.value} or float")
    if np.isnan(array).any():
        raise UsageError(f"{int(np.isnan(array).sum()):,} of the {array.size:,} values are not numbers (NaN)")
    if tensor.quant is None:
        return array.astype(tensor.dtype.numpy)
    info = np.iinfo(tensor.dtype.numpy)
    steps = np.round(array / tensor.scale) + tensor.zero_point
    return np.clip(steps, info.min, info.max).astype(tensor.dtype.numpy)


def same_codes(scale: float, zero_point: int, tensor: Tensor) -> bool:
    """Whether codes that stand for ``scale * (q - zero_point)`` are the tensor's own."""
    same = tensor.quant is not None and tensor.zero_point == zero_point and np.isclose(tensor.scale, scale, rtol=1e-5)
    return bool(tensor.dtype is DType.INT8 and same)


def as_input(codes: npt.NDArray[np.int8], scale: float, zero_point: int, tensor: Tensor) -> Array:
    """Codes of a front-end as the network takes them: as they are where the quantisation agrees, else requantised.

    ``codes`` are as many as ``tensor`` has elements, in any shape; the result has ``tensor``'s shape and type.
    """
    if same_codes(scale, zero_point, tensor):
        return codes.reshape(tensor.shape)
    return quantised((scale * (codes.astype(np.float32) - zero_point)).reshape(tensor.shape), tensor)
