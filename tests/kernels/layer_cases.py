"""Random models of one op: pools, padding, joining, reshaping, functions of one value, quantisation, variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kernels.arithmetic_cases import Draw, binary
from tests.support import move_builder as mb
from tests.support.state_builder import StatefulBuilder
from tests.support.tflite_builder import Builder

ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def shape_of(draw: Draw, least_rank: int = 1) -> tuple[int, ...]:
    """Up to five dimensions of up to six."""
    return tuple(draw.size(6) for _ in range(draw.size(5, least_rank)))


def quantised(draw: Draw) -> dict[str, Any]:
    """A scale and a zero point."""
    return {"scale": draw.scale(), "zero_point": draw.zero_point()}


def pool(kind: str) -> Callable[[Draw], bytes]:
    """Windows to 9 by 9 and whole images, strides to 4, both paddings, every fused activation."""

    def make(draw: Draw) -> bytes:
        b = Builder()
        sides = draw.size(12), draw.size(12)
        padding = draw.pick("SAME", "VALID")
        window = draw.pick((draw.size(9), draw.size(9)), sides, (2, 2), (3, 3))
        size = tuple(min(k, n) for k, n in zip(window, sides, strict=True)) if padding == "VALID" else window
        x = b.input((1, *sides, draw.size(9)), **quantised(draw))
        stride = draw.pick((1, 1), (2, 2), (draw.size(4), draw.size(4)))
        activation = draw.pick(*ACTIVATIONS)
        return b.build([b.pool_2d(kind, x, size=size, stride=stride, padding=padding, activation=activation)])

    return make


def pad(with_value: bool) -> Callable[[Draw], bytes]:
    """Every side of up to five dimensions, by up to three."""

    def make(draw: Draw) -> bytes:
        b = Builder()
        shape = shape_of(draw)
        paddings = [(draw.size(3, 0), draw.size(3, 0)) if draw.flag(0.6) else (0, 0) for _ in shape]
        value = draw.size(127, -128) if with_value else None
        return b.build([b.pad(b.input(shape, **quantised(draw)), paddings, value)])

    return make


def total(draw: Draw) -> bytes:
    """SUM over any axes, kept and dropped."""
    b = Builder()
    shape = shape_of(draw)
    x = b.input(shape, **quantised(draw))
    axes = [d for d in range(len(shape)) if draw.flag()] or [len(shape) - 1]
    count = int(np.prod([shape[d] for d in axes]))
    scale = b.values[x].scale * count * draw.scale(0.05, 2.0)
    return b.build([b.reduce("SUM", x, axes, keep_dims=draw.flag(), scale=scale, zero_point=draw.zero_point())])


def _computed(b: Builder, draw: Draw, shape: tuple[int, ...]) -> int:
    """An input, or something that is made of one."""
    x = b.input(shape, **quantised(draw))
    return x if draw.flag() else b.binary("ADD", x, x, scale=2 * b.values[x].scale, zero_point=draw.zero_point())


def _used(b: Builder, draw: Draw, x: int) -> bytes:
    """``x`` as the output, or what is computed of it."""
    if draw.flag():
        return b.build([x])
    source = b.values[x]
    return b.build([b.binary("MUL", x, x, scale=64 * source.scale**2, zero_point=draw.zero_point())])


def reshape(draw: Draw) -> bytes:
    """The elements in another order of dimensions."""
    b = Builder()
    shape = shape_of(draw)
    x = _computed(b, draw, shape)
    wanted = [int(n) for n in draw.rng.permutation(shape)]
    if draw.flag() and len(wanted) > 1:
        wanted = [wanted[0] * wanted[1], *wanted[2:]]
    return _used(b, draw, b.reshape(x, wanted))


def squeeze(draw: Draw) -> bytes:
    """Some dimensions of one."""
    b = Builder()
    shape = [1 if draw.flag(0.4) else n for n in shape_of(draw, 2)]
    shape[draw.size(len(shape) - 1, 0)] = 1
    ones = [d for d, n in enumerate(shape) if n == 1]
    axes = [d for d in ones if draw.flag(0.8)] or ones
    return _used(b, draw, b.squeeze(_computed(b, draw, tuple(shape)), axes))


def expand_dims(draw: Draw) -> bytes:
    """A dimension more, anywhere."""
    b = Builder()
    shape = shape_of(draw)[:4]
    return _used(b, draw, b.expand_dims(_computed(b, draw, shape), draw.size(len(shape), 0)))


def concatenation(draw: Draw) -> bytes:
    """Up to six parts along any axis: inputs, constants, one tensor several times."""
    b = Builder()
    shape = shape_of(draw)
    axis, quant = draw.size(len(shape) - 1, 0), quantised(draw)
    parts: list[int] = []
    for _ in range(draw.size(6)):
        own = tuple(draw.size(5) if d == axis else n for d, n in enumerate(shape))
        if parts and draw.flag(0.2):
            parts.append(draw.pick(*parts))
        elif parts and draw.flag(0.2):
            parts.append(b.constant(draw.bytes(*own), **quant))
        else:
            parts.append(b.input(own, **quant))
    return b.build([b.concatenation(parts, axis)])


def pack(draw: Draw) -> bytes:
    """Up to five tensors along a new axis."""
    b = Builder()
    shape, quant = shape_of(draw)[:4], quantised(draw)
    parts = [b.input(shape, **quant) for _ in range(draw.size(5))]
    return b.build([mb.pack(b, parts, draw.size(len(shape), 0))])


def gather_at_run_time(draw: Draw) -> bytes:
    """Rows by an input's numbers, of a constant table or of a tensor."""
    b = Builder()
    shape = shape_of(draw)[:4]
    axis, scale = draw.size(len(shape) - 1, 0), draw.scale()
    table = b.constant(draw.bytes(*shape), scale=scale) if draw.flag() else b.input(shape, scale=scale)
    indices = b.input(tuple(draw.size(4) for _ in range(draw.size(2))), scale=None, dtype="int32")
    return b.build([mb.gather(b, table, indices, axis)])


def of_one(kind: str) -> Callable[[Draw], bytes]:
    """A function of one value, over all 256 of them."""

    def make(draw: Draw) -> bytes:
        b = Builder()
        x = b.input((1, 256), scale=draw.scale(1e-3, 2.0), zero_point=draw.zero_point())
        ratio = 128.0 if kind == "HARD_SWISH" else 1000.0
        scale = b.values[x].scale / draw.scale(0.05, ratio)
        options: dict[str, Any] = {"scale": scale, "zero_point": draw.zero_point()}
        match kind:
            case "LOGISTIC":
                y = b.logistic(x)
            case "TANH":
                y = b.tanh(x)
            case "LEAKY_RELU":
                y = b.leaky_relu(x, draw.pick(0.01, 0.1, 0.3, draw.scale(1e-4, 1.9)), **options)
            case _:
                y = b.elementwise(kind, x, **options)
        return b.build([y])

    return make


def quantize(draw: Draw) -> bytes:
    """Of floats, of uint8 to int8, of int8 to uint8, of int8 to other parameters."""
    b = Builder()
    shape, source = (1, draw.size(300)), draw.pick("float32", "uint8", "int8")
    target = "uint8" if source == "int8" and draw.flag() else "int8"

    def numbers(dtype: str) -> dict[str, Any]:
        shift = 128 if dtype == "uint8" else 0
        scale = None if dtype == "float32" else draw.scale(1e-3, 2.0)
        return {"dtype": dtype, "scale": scale, "zero_point": 0 if scale is None else draw.zero_point() + shift}

    x = b.input(shape, **numbers(source))
    return b.build([b.op("QUANTIZE", [x], [b.tensor(shape, **numbers(target))], "QuantizeOptions")])


def dequantize(draw: Draw) -> bytes:
    """Of int8 and uint8."""
    b = Builder()
    dtype = draw.pick("int8", "uint8")
    zero_point = draw.zero_point() + (128 if dtype == "uint8" else 0)
    return b.build([b.dequantize(b.input((1, 256), dtype=dtype, scale=draw.scale(1e-6, 50.0), zero_point=zero_point))])


def variable(draw: Draw) -> bytes:
    """One or two variables that are read, computed with and assigned, what they hold or something else of the input."""
    b = StatefulBuilder()
    shape = shape_of(draw)[:4]
    x = b.input(shape, **quantised(draw))
    outputs = []
    for number in range(draw.size(2)):
        quant, name = quantised(draw), f"v{number}"
        b.variable(name, draw.bytes(*shape), **quant)
        y = b.binary(draw.pick("ADD", "SUB"), x, b.read(name), activation=draw.pick(*ACTIVATIONS), **quant)
        b.assign(name, y if draw.flag(0.7) else b.elementwise("QUANTIZE", x, **quant))
        outputs.append(b.binary("ADD", y, y, **quantised(draw)))
    return b.build(outputs)


CASES: dict[str, Callable[[Draw], bytes]] = {
    "SUB": binary("SUB"),
    "PAD": pad(with_value=False),
    "PADV2": pad(with_value=True),
    **{kind: pool(kind) for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D")},
    "SUM": total,
    "RESHAPE": reshape,
    "SQUEEZE": squeeze,
    "EXPAND_DIMS": expand_dims,
    "CONCATENATION": concatenation,
    "PACK": pack,
    "GATHER at run time": gather_at_run_time,
    **{
        kind: of_one(kind) for kind in ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "RELU_N1_TO_1")
    },
    "QUANTIZE": quantize,
    "DEQUANTIZE": dequantize,
}
STATEFUL: dict[str, Callable[[Draw], bytes]] = {"READ_VARIABLE and ASSIGN_VARIABLE": variable}
