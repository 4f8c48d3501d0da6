"""What cannot be packed in twos, on the kernels for cores without SIMD, whose sums unpack in parts.

Cores with the DSP extension run every instruction of ARMv7-M. These kernels take 1.2 (fully connected: 2.5)
instructions a product where packing in twos takes 0.9 (1.0) and portable C 3.0.
"""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.program import Isa, Step, Target
from tinyml.lower.v6m import conv_2d, fully_connected, grouped
from tinyml.lower.verdict import Verdict


def _v7m(target: Target) -> Target:
    return replace(target, isa=Isa.V7M)


def convolution_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One group, and weights whose sums unpack in at most 64 parts."""
    return conv_2d.applies(graph, op, _v7m(target))


def build_convolution(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_conv2d_v6m`` or ``tml_pointwise_v6m``."""
    return conv_2d.build(graph, op, _v7m(target))


def grouped_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several groups, and weights whose sums unpack in at most 64 parts."""
    return grouped.applies(graph, op, _v7m(target))


def build_grouped(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_conv2d_v6m``."""
    return grouped.build(graph, op, _v7m(target))


def dense_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Scaled accumulators that stay within int32."""
    return fully_connected.applies(graph, op, _v7m(target))


def build_dense(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_fully_connected_v6m``."""
    return fully_connected.build(graph, op, _v7m(target))
