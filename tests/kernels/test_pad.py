"""PAD and PADV2 on the host, equal to the reference kernels byte by byte."""

from __future__ import annotations

from tests.kernels.cases import Prove, model
from tests.support.tflite_builder import Builder


def test_paddings(prove: Prove) -> None:
    def case(shape: tuple[int, ...], paddings: list[tuple[int, int]], value: int | None) -> bytes:
        def build(b: Builder) -> int:
            return b.pad(b.input(shape, scale=0.1, zero_point=-5), paddings, value)

        return model(build)

    prove([
        case((1, 4, 4, 3), [(0, 0), (1, 1), (1, 1), (0, 0)], None),
        case((1, 4, 4, 3), [(0, 0), (0, 1), (0, 1), (0, 0)], None),
        case((1, 4, 4, 3), [(0, 0), (2, 0), (0, 3), (1, 2)], 7),
        case((1, 4, 4, 3), [(0, 0), (0, 0), (0, 0), (0, 0)], None),
        case((1, 7), [(0, 0), (3, 4)], -128),
        case((1, 5, 2), [(0, 0), (4, 0), (0, 0)], None),
        case((5,), [(1, 2)], 127),
    ])  # fmt: skip
