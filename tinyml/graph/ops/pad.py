"""PAD and PADV2 with constant paddings."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.graph.ops.base import Attrs, OpSpec


@dataclass(frozen=True, slots=True)
class PadAttrs(Attrs):
    """Attributes of PAD and PADV2; the only input is x.

    ``paddings`` has (before, after) for each dimension, ``value`` is the int8 written there (PAD: the zero point).
    """

    paddings: tuple[tuple[int, int], ...] = ()
    value: int = 0


class Pad(OpSpec):
    """Padding with the zero point."""

    kind = "PAD"
    attrs_type = PadAttrs


class PadV2(Pad):
    """Padding with a constant."""

    kind = "PADV2"
