"""CONCATENATION and the ops that only rename bytes, on the host, equal to the reference kernels."""

from __future__ import annotations

from tests.kernels.cases import Prove, Rng, model
from tests.support.tflite_builder import Builder


def test_axes_and_parts(prove: Prove) -> None:
    rng = Rng(1)

    def case(shapes: list[tuple[int, ...]], axis: int) -> bytes:
        def build(b: Builder) -> int:
            return b.concatenation([b.input(shape, scale=0.1, zero_point=4) for shape in shapes], axis)

        return model(build)

    def with_constants_and_repeats(b: Builder) -> int:
        x = b.input((1, 3, 4), scale=0.1, zero_point=4)
        c = b.constant(rng.weights(1, 3, 2), scale=0.1, zero_point=4)
        return b.concatenation([c, x, x, c], 2)

    prove([
        case([(1, 4, 3, 2), (1, 4, 3, 5)], 3),
        case([(1, 4, 3, 2), (1, 1, 3, 2), (1, 2, 3, 2)], 1),
        case([(1, 4, 3, 2), (1, 4, 1, 2)], 2),
        case([(1, 3)] * 9, 1),
        case([(2, 3), (1, 3)], 0),
        model(with_constants_and_repeats),
    ])  # fmt: skip


def test_chains_of_reshapes(prove: Prove) -> None:
    """Aliases of an input, of a computed tensor, of each other, and as outputs."""

    def build(b: Builder) -> list[int]:
        x = b.input((1, 4, 1, 6), scale=0.1, zero_point=4)
        squeezed = b.squeeze(x, [2])
        wide = b.reshape(squeezed, (1, 24))
        summed = b.binary("ADD", wide, wide, scale=0.2)
        tall = b.expand_dims(b.reshape(summed, (4, 6)), 0)
        return [b.binary("MUL", tall, tall, scale=0.3), tall]

    prove([model(build)])
