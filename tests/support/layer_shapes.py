"""Shapes of layers that hit every edge of a kernel: the tests of each instruction set add those of its own blocks."""

from __future__ import annotations

Convolution = tuple[int, int, int, int, tuple[int, int], tuple[int, int], tuple[int, int], str, str]
"""Height, width, channels in, channels out, kernel, stride, dilation, padding, activation."""
Dense = tuple[int, int, int, bool, str]
"""Rows, depth, channels, per channel, activation."""

POINTWISE_SHAPES: list[Convolution] = [
    (1, 3, 4, 2, (1, 1), (1, 1), (1, 1), "SAME", "RELU"),
    (2, 2, 8, 8, (1, 1), (1, 1), (1, 1), "SAME", "NONE"),
    (5, 1, 7, 7, (1, 1), (1, 1), (1, 1), "VALID", "RELU6"),
    (3, 3, 1, 5, (1, 1), (1, 1), (1, 1), "VALID", "NONE"),
    (4, 4, 2, 1, (1, 1), (1, 1), (1, 1), "VALID", "RELU"),
    (7, 3, 3, 3, (1, 1), (1, 1), (1, 1), "SAME", "RELU_N1_TO_1"),
    (4, 4, 37, 6, (1, 1), (1, 1), (1, 1), "SAME", "NONE"),
    (2, 4, 72, 13, (1, 1), (1, 1), (1, 1), "SAME", "RELU"),
    (2, 2, 150, 4, (1, 1), (1, 1), (1, 1), "SAME", "RELU"),
]
WINDOW_SHAPES: list[Convolution] = [
    (6, 7, 5, 7, (1, 1), (2, 2), (1, 1), "SAME", "RELU"),
    (9, 9, 16, 8, (1, 1), (2, 2), (1, 1), "VALID", "NONE"),
    (8, 8, 2, 3, (1, 1), (3, 3), (1, 1), "VALID", "NONE"),
    (5, 5, 3, 4, (3, 3), (1, 1), (1, 1), "SAME", "RELU"),
    (5, 5, 3, 5, (3, 3), (1, 1), (1, 1), "VALID", "NONE"),
    (9, 11, 3, 8, (3, 3), (2, 2), (1, 1), "SAME", "RELU6"),
    (8, 8, 4, 2, (3, 3), (2, 2), (1, 1), "SAME", "NONE"),
    (10, 8, 1, 4, (10, 4), (2, 2), (1, 1), "SAME", "RELU"),
    (7, 6, 1, 3, (3, 3), (2, 2), (1, 1), "SAME", "NONE"),
    (7, 7, 6, 2, (5, 5), (1, 1), (1, 1), "SAME", "RELU"),
    (9, 1, 3, 2, (3, 1), (1, 1), (1, 1), "SAME", "NONE"),
    (1, 9, 3, 2, (1, 4), (1, 2), (1, 1), "SAME", "NONE"),
    (1, 12, 8, 2, (1, 7), (1, 1), (1, 1), "SAME", "NONE"),
    (9, 9, 2, 3, (3, 3), (1, 1), (2, 2), "SAME", "NONE"),
    (9, 9, 4, 3, (3, 2), (1, 1), (4, 3), "VALID", "NONE"),
    (9, 9, 4, 3, (3, 2), (1, 1), (3, 1), "VALID", "RELU"),
    (4, 4, 3, 2, (3, 3), (1, 1), (16, 16), "SAME", "NONE"),
    (3, 3, 2, 1, (5, 7), (1, 1), (1, 1), "SAME", "NONE"),
    (8, 8, 1, 1, (2, 2), (3, 3), (1, 1), "SAME", "NONE"),
    (8, 8, 13, 3, (2, 2), (5, 4), (1, 1), "VALID", "NONE"),
    (6, 6, 33, 3, (3, 3), (1, 1), (1, 1), "SAME", "NONE"),
]
DENSE_SHAPES: list[Dense] = [
    (1, 64, 12, True, "NONE"),
    (1, 640, 8, False, "RELU"),
    (1, 8, 16, False, "RELU"),
    (1, 1, 1, False, "NONE"),
    (1, 7, 2, True, "RELU6"),
    (3, 9, 3, True, "NONE"),
    (2, 33, 5, False, "RELU_N1_TO_1"),
    (4, 31, 4, False, "NONE"),
    (1, 100, 10, True, "RELU"),
    (1, 257, 7, True, "NONE"),
]
