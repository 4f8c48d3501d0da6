"""MEAN and SUM over constant axes."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class ReduceAttrs(Attrs):
    """Attributes of MEAN and SUM; the only input is x. ``axes`` are sorted, not negative, each once."""

    axes: tuple[int, ...] = ()
    keep_dims: bool = False


class Mean(OpSpec):
    """Mean over axes."""

    kind = "MEAN"
    attrs_type = ReduceAttrs


class Sum(OpSpec):
    """Sum over axes."""

    kind = "SUM"
    attrs_type = ReduceAttrs
