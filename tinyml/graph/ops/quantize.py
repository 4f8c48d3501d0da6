"""QUANTIZE (float32 → int8, or int8 → int8 with other parameters) and DEQUANTIZE (int8 → float32)."""

from __future__ import annotations

from tinyml.graph.ops.base import OpSpec


class Quantize(OpSpec):
    """Quantisation of a float input, or requantisation."""

    kind = "QUANTIZE"


class Dequantize(OpSpec):
    """Floats of a quantised tensor."""

    kind = "DEQUANTIZE"
