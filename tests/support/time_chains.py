"""Random networks whose time axis streams, from a seed, without TensorFlow; their hops against whole windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from tests.support.host_build import Network, Result, compile_network, first_difference
from tests.support.move_builder import slice_
from tests.support.tflite_builder import Builder
from tinyml.graph.passes import run_passes
from tinyml.lower.program import Isa
from tinyml.lower.streaming import hop_unit, rows_of_input
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

Array = npt.NDArray[np.int8]
MORE_HOPS = 3


class _TimeChain:
    """Upright networks have time along the height of an image, lying ones along the width of its only row."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.builder = Builder()
        self.lying = bool(seed % 3 == 2)
        self.blocks = (
            self.convolution, self.convolution, self.depthwise, self.pointwise, self.pool, self.residual, self.branches,
            self.activation, self.dense, self.cropped, self.cropped,
        )  # fmt: skip

    def pick(self, *options: int) -> int:
        return int(self.rng.choice(options))

    def time(self, x: int) -> int:
        return self.builder.values[x].shape[2 if self.lying else 1]

    def sizes(self, x: int, kernel: int, stride: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Kernel and stride as (height, width): those given along time."""
        if self.lying:
            return (1, kernel), (1, stride)
        across = self.pick(1, 2, 3) if self.builder.values[x].shape[2] >= 3 else 1
        return (kernel, across), (stride, self.pick(1, across))

    def padded(self, x: int, size: tuple[int, int]) -> int:
        """Sometimes with zeros across time, which a convolution then takes as its padding."""
        if self.lying or size[1] == 1 or self.rng.random() < 0.5:
            return x
        return self.builder.pad(x, ((0, 0), (0, 0), (1, size[1] - 2), (0, 0)))

    def convolution(self, x: int) -> int:
        size, stride = self.sizes(x, self.pick(2, 3, 3, 5), self.pick(1, 1, 2))
        weights = self.rng.integers(-127, 128, (self.pick(4, 6, 8), *size, self.builder.values[x].shape[3]))
        dilation = (2, 1) if not self.lying and self.rng.random() < 0.2 else (1, 1)
        if dilation != (1, 1):
            stride = (1, stride[1])
        if self.time(x) < 2 * size[0] + 2:
            return x
        x = self.padded(x, size)
        return self.builder.conv_2d(x, weights, 0.004, stride=stride, dilation=dilation, padding="VALID")

    def depthwise(self, x: int) -> int:
        size, stride = self.sizes(x, self.pick(2, 3, 4), self.pick(1, 1, 2))
        weights = self.rng.integers(-127, 128, (1, *size, self.builder.values[x].shape[3]))
        return self.builder.depthwise_conv_2d(self.padded(x, size), weights, 0.006, stride=stride, padding="VALID")

    def pointwise(self, x: int) -> int:
        """One with a stride leaves rows out, so that it reads fewer than a hop adds."""
        weights = self.rng.integers(-127, 128, (self.pick(4, 8), 1, 1, self.builder.values[x].shape[3]))
        stride = self.pick(1, 1, 2, 3)
        strides = (1, stride) if self.lying else (stride, 1)
        return self.builder.conv_2d(x, weights, 0.004, stride=strides, padding="VALID")

    def pool(self, x: int) -> int:
        kind = ("AVERAGE_POOL_2D", "MAX_POOL_2D")[self.pick(0, 1)]
        size, stride = self.sizes(x, self.pick(2, 3), self.pick(1, 2))
        return self.builder.pool_2d(kind, x, size=size, stride=stride)

    def residual(self, x: int) -> int:
        weights = self.rng.integers(-127, 128, (self.builder.values[x].shape[3], 1, 1, self.builder.values[x].shape[3]))
        return self.builder.binary("ADD", x, self.builder.conv_2d(x, weights, 0.004, padding="VALID"))

    def cropped(self, x: int) -> int:
        """A convolution and what goes around it, without the rows at both ends that it has no result for."""
        shape, axis = self.builder.values[x].shape, 2 if self.lying else 1
        size, before = (1, 3) if self.lying else (3, 1), self.pick(0, 1, 2)
        weights = self.rng.integers(-127, 128, (shape[3], *size, shape[3]))
        begin, sizes = [0] * 4, list(shape)
        begin[axis], sizes[axis] = before, shape[axis] - 2
        around = slice_(self.builder, x, begin, sizes)
        return self.builder.binary("ADD", self.builder.conv_2d(x, weights, 0.004, padding="VALID"), around)

    def branches(self, x: int) -> int:
        size, stride = self.sizes(x, 3, self.pick(1, 2))
        weights = self.rng.integers(-127, 128, (4, *size, self.builder.values[x].shape[3]))
        convolved = self.builder.conv_2d(x, weights, 0.004, scale=0.05, stride=stride, padding="VALID")
        pooled = self.builder.pool_2d("MAX_POOL_2D", x, size=size, stride=stride)
        scaled = self.builder.elementwise("QUANTIZE", pooled, scale=0.05)
        return self.builder.concatenation([convolved, scaled], 3)

    def activation(self, x: int) -> int:
        return self.builder.elementwise("HARD_SWISH", x)

    def dense(self, x: int) -> int:
        features = self.builder.values[x].shape[3]
        return self.builder.fully_connected(x, self.rng.integers(-127, 128, (4, features)), 0.004, keep_num_dims=True)

    def head(self, x: int) -> int:
        shape = self.builder.values[x].shape
        kind = self.pick(0, 1, 2, 3)
        if kind == 0:
            return self.builder.reduce("MEAN", x, [1, 2])
        if kind == 1:
            flat = self.builder.reshape(x, (1, int(np.prod(shape))))
            return self.builder.fully_connected(flat, self.rng.integers(-127, 128, (3, int(np.prod(shape)))), 0.002)
        if kind == 2:
            weights = self.rng.integers(-127, 128, (4, *((1, 3) if self.lying else (3, 1)), shape[3]))
            return self.builder.reduce("MEAN", self.builder.conv_2d(x, weights, 0.004), [1, 2])
        return x

    def model(self) -> bytes:
        rows, features = int(self.rng.integers(16, 50)), self.pick(3, 4, 8)
        shape = (1, rows, features)
        x = self.builder.input(shape)
        if self.lying:
            x = self.builder.expand_dims(x, 1)
        else:
            x = self.builder.reshape(x, (1, rows, 1, features) if self.rng.random() < 0.5 else (1, rows, features, 1))
        x = self.convolution(x)
        for _ in range(int(self.rng.integers(1, 5))):
            if self.time(x) >= 8:
                x = self.blocks[int(self.rng.integers(len(self.blocks)))](x)
        return self.builder.build([self.head(x)])


def time_chain(seed: int) -> bytes:
    """The network of ``seed`` as an int8 ``.tflite`` file; its input is [1, rows, features]."""
    return _TimeChain(seed).model()


def hopping(model: bytes, name: str, seed: int, isa: Isa, *, canaries: bool = True) -> tuple[Network, Network]:
    """(by hops, whole): the same network computing new rows only, and one step after the other."""
    graph = run_passes(read_graph(model))
    unit, rows = hop_unit(graph, rows_of_input(graph)), rows_of_input(graph)
    hop_rows = unit * (1 + seed % 3) if unit * (1 + seed % 3) < rows else unit
    by_hops = compile_network(model, f"{name}_hops", isa=isa, canaries=canaries, hop_rows=hop_rows)
    return by_hops, compile_network(model, f"{name}_whole", isa=isa)


def windows_of(network: Network, seed: int) -> Iterator[tuple[Array, Array | None]]:
    """(the next hop, the window that it completes): random sound, for a window and some hops more."""
    hop = network.program.hop
    assert hop is not None
    rng = np.random.default_rng(seed)
    hops = -(-hop.window_rows // hop.rows) + MORE_HOPS
    features = network.input_tensors[0].elements // hop.rows
    rows = rng.integers(-128, 128, (hops * hop.rows, features)).astype(np.int8)
    for at in range(hop.rows, len(rows) + 1, hop.rows):
        whole = rows[at - hop.window_rows : at] if at >= hop.window_rows else None
        yield rows[at - hop.rows : at], whole


def prove_hops(network: Network, seed: int, run: Callable[[bytes], Result]) -> int:
    """Every whole window's outputs and traced tensors equal the reference's; gives how many windows were compared."""
    reference, compared = Reference(network.model), 0
    graph = run_passes(read_graph(network.model))
    shape = graph.tensors[graph.inputs[0]].shape
    for rows, window in windows_of(network, seed):
        got = run(rows.tobytes())
        if window is not None:
            difference = first_difference(network, [window.reshape(shape)], got, reference)
            assert difference is None, f"{network.name}, hop of {network.program.hop}: {difference}"
            compared += 1
    return compared
