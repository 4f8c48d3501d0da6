"""What cannot be packed in twos, on the kernels for cores without SIMD, whose sums unpack in parts.

Cores with the DSP extension run every instruction of ARMv7-M. These kernels take 1.2 (fully connected: 2.5)
instructions a product where packing in twos takes 0.9 (1.0) and portable C 3.0.
"""

from __future__ import annotations

from dataclasses import replace

from tinyml.graph.ir import Graph, Op
from tinyml.lower.ops.common import Build, constant
from tinyml.lower.program import Isa, Optimize, Step, Target
from tinyml.lower.v6m import conv_2d, fully_connected, grouped
from tinyml.lower.verdict import APPLIES, Verdict, unfit


def _v7m(target: Target) -> Target:
    """For size as balanced, where bytes are expanded in memory that other layers need anyway, or not at all."""
    goal = Optimize.BALANCED if target.optimize is Optimize.SIZE else target.optimize
    return replace(target, isa=Isa.V7M, optimize=goal)


def _affordable(graph: Graph, op: Op, target: Target, build: Build) -> Verdict:
    """Words in flash take 8/3 bytes a weight: only for speed, as portable C does with bytes."""
    if target.optimize is Optimize.SPEED:
        return APPLIES
    words, weights = build(graph, op, target).consts[0].size_bytes, constant(graph, op, 1).size
    if words > 2 * weights:
        return unfit(f"weights as words would take {words:,} bytes of flash instead of {weights:,}")
    return APPLIES


def convolution_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """One group, weights whose sums unpack in at most 64 parts, and memory to expand them, or for speed.

    Other layers need as much memory as this one with its weights expanded.
    """
    return conv_2d.applies(graph, op, _v7m(target)) and _affordable(graph, op, target, build_convolution)


def build_convolution(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_conv2d_v6m`` or ``tml_pointwise_v6m``."""
    return conv_2d.build(graph, op, _v7m(target))


def grouped_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Several groups, weights whose sums unpack in at most 64 parts, and memory to expand them, or for speed."""
    return grouped.applies(graph, op, _v7m(target)) and _affordable(graph, op, target, build_grouped)


def build_grouped(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_grouped_conv2d_v6m``."""
    return grouped.build(graph, op, _v7m(target))


def dense_applies(graph: Graph, op: Op, target: Target) -> Verdict:
    """Scaled accumulators that stay within int32."""
    return fully_connected.applies(graph, op, _v7m(target))


def build_dense(graph: Graph, op: Op, target: Target) -> Step:
    """The step of ``tml_fully_connected_v6m``."""
    return fully_connected.build(graph, op, _v7m(target))
