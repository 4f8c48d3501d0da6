"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ir import Activation
from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class PoolAttrs(Attrs):
    """Attributes of the pools; the only input is x [1,H,W,C]. Padding is resolved; padded elements are left out."""

    filter_h: int = 1
    filter_w: int = 1
    stride_h: int = 1
    stride_w: int = 1
    pad_top: int = 0
    pad_bottom: int = 0
    pad_left: int = 0
    pad_right: int = 0
    activation: Activation = Activation.NONE


class AveragePool2D(OpSpec):
    """Average of windows."""

    kind = "AVERAGE_POOL_2D"
    attrs_type = PoolAttrs


class MaxPool2D(OpSpec):
    """Maximum of windows."""

    kind = "MAX_POOL_2D"
    attrs_type = PoolAttrs
