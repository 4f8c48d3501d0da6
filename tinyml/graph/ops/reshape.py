"""RESHAPE, SQUEEZE and EXPAND_DIMS: the same bytes under another shape (the output tensor's)."""

from __future__ import annotations

from tinyml.graph.ops.base import Attrs, OpSpec


class Reshape(OpSpec):
    """Another shape for the same elements; the only input is x."""

    kind = "RESHAPE"
    attrs_type = Attrs


class Squeeze(Reshape):
    """Dimensions of size 1 removed; the only input is x."""

    kind = "SQUEEZE"


class ExpandDims(Reshape):
    """A dimension of size 1 inserted; the only input is x."""

    kind = "EXPAND_DIMS"
