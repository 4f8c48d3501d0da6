"""Concatenations whose parts are written in place: every byte as the reference kernels', no copies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kernels.test_canaries import prove_on_core
from tests.kernels.test_mve_networks import prove_networks as prove_in_qemu
from tests.support import move_builder as mb
from tests.support.host_build import Network, compile_network, lower_model, plan_network, prove_networks
from tests.support.shared import require_module, require_tool
from tests.support.tflite_builder import Builder
from tinyml.lower.in_place_parts import joined, write_in_place
from tinyml.lower.program import Ints, Isa, Optimize, Program
from tinyml.plan.choose import Goal

WHOLE = Goal(0.0)
ANY = Goal(math.inf)


class _Layers:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = Builder()

    def conv(self, x: int, channels: int, kernel: int = 3, stride: int = 1, groups: int = 1, **options: Any) -> int:
        weights = self.rng.integers(-127, 128, (channels, kernel, kernel, self.b.values[x].shape[3] // groups))
        bias = self.rng.integers(-500, 500, channels).astype(np.int32)
        given: dict[str, Any] = {"zero_point": -128, "activation": "RELU", "stride": (stride, stride)} | options
        return self.b.conv_2d(x, weights.astype(np.int8), 0.004, bias, **given)

    def depthwise(self, x: int, kernel: int = 3, stride: int = 1, **options: Any) -> int:
        weights = self.rng.integers(-127, 128, (1, kernel, kernel, self.b.values[x].shape[3])).astype(np.int8)
        given: dict[str, Any] = {"zero_point": -128, "stride": (stride, stride)} | options
        return self.b.depthwise_conv_2d(x, weights, 0.005, **given)


def fire() -> bytes:
    """Two convolutions of one tensor side by side; one and two pixels are left over from blocks of three."""
    n = _Layers(0)
    x = n.conv(n.b.input((1, 11, 9, 3)), 8, stride=1)
    for channels in (6, 16):
        x = n.b.pool_2d("MAX_POOL_2D", x)
        x = n.b.concatenation([n.conv(x, channels, kernel=1), n.conv(x, channels + 3)], 3)
    return n.b.build([x])


def mixed() -> bytes:
    """Depthwise kernels of all widths, pools, sums, curves and a constant side by side; one part is read twice."""
    n = _Layers(1)
    b = n.b
    x = n.conv(b.input((1, 9, 8, 4)), 8)
    parts = [n.depthwise(x, kernel) for kernel in (3, 5, 7)]
    parts.append(b.elementwise("HARD_SWISH", n.conv(x, 17, kernel=1), scale=0.1, zero_point=-128))
    parts.append(b.binary("ADD", n.conv(x, 18, kernel=1), n.conv(x, 18), scale=0.1, zero_point=-128))
    parts.append(b.pool_2d("AVERAGE_POOL_2D", x, size=(3, 3), stride=(1, 1), padding="SAME"))
    parts.append(b.pool_2d("MAX_POOL_2D", x, size=(3, 3), stride=(1, 1), padding="SAME"))
    parts.append(b.constant(n.rng.integers(-128, 128, (1, 9, 8, 2)).astype(np.int8), scale=0.1, zero_point=-128))
    parts.append(b.elementwise("RELU6", parts[-2], scale=0.1, zero_point=-128))
    narrow = n.conv(b.concatenation(parts, 3), 8, kernel=1)
    strided = [n.depthwise(narrow, kernel, 2) for kernel in (3, 5, 7)]
    pooled = b.pool_2d("AVERAGE_POOL_2D", narrow, padding="SAME")
    return b.build([b.concatenation([*strided, pooled], 3)])


def rows_and_vectors() -> bytes:
    """Parts one above the other, one of them read by others as well, and vectors behind each other."""
    n = _Layers(2)
    b = n.b
    x = n.conv(b.input((1, 8, 6, 4)), 8)
    top, bottom = n.conv(x, 8), n.depthwise(x)
    tall = b.concatenation([top, bottom, b.binary("ADD", bottom, bottom, scale=0.1, zero_point=-128)], 1)
    means = [b.reduce("MEAN", y, [1, 2], zero_point=-128) for y in (tall, bottom)]
    flat = b.reshape(n.conv(x, 2, kernel=1), (1, 96))
    vectors = b.concatenation([*means, b.reshape(n.conv(top, 1, kernel=1), (1, 48)), flat], 1)
    weights = n.rng.integers(-127, 128, (10, b.values[vectors].shape[1])).astype(np.int8)
    return b.build([tall, b.fully_connected(vectors, weights, 0.01)])


def halves() -> bytes:
    """A unit of ShuffleNet: one half of the channels passes, the other is computed."""
    n = _Layers(3)
    x = n.conv(n.conv(n.b.input((1, 6, 7, 4)), 24), 12, kernel=1)
    for _ in range(2):
        left, right = mb.split(n.b, x, 3, 2)
        x = n.b.concatenation([left, n.conv(n.depthwise(right), 6, kernel=1)], 3)
    return n.b.build([x])


def groups() -> bytes:
    """Grouped convolutions, clamps inside the range, windows that never leave the input, products with a channel's."""
    n = _Layers(4)
    b = n.b
    inside: dict[str, Any] = {"zero_point": -90, "activation": "RELU6"}
    x = n.conv(b.input((1, 7, 9, 4)), 24, **inside)
    parts = [n.conv(x, 16, kernel=1, groups=4, **inside), n.conv(x, 20, groups=4, **inside)]
    parts += [n.conv(x, 12, kernel=1, **inside), n.conv(x, 7, **inside), n.depthwise(x, **inside)]
    parts.append(n.conv(x, 18, stride=1, groups=2, dilation=(2, 2), **inside))
    factors = b.constant(n.rng.integers(1, 90, (1, 1, 1, 24)).astype(np.int8), scale=0.01)
    parts.append(b.binary("MUL", x, factors, scale=0.1, zero_point=-90))
    joined = n.conv(b.concatenation(parts, 3), 18, kernel=1, **inside)
    strided = [n.conv(joined, 9, stride=2, padding="VALID", **inside)]
    strided += [n.depthwise(joined, stride=2, padding="VALID", **inside)]
    for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        strided.append(b.pool_2d(kind, joined, size=(3, 3), activation="RELU6"))
    more = n.conv(joined, 18, stride=2, padding="VALID", **inside)
    strided.append(b.binary("SUB", strided[2], more, scale=0.1, zero_point=-90))
    strided.append(b.binary("ADD", more, more, scale=0.1, zero_point=-90))
    return b.build([b.concatenation(strided, 3)])


def growing() -> bytes:
    """Parts that others read beside the concatenation: ghosts, sums of sums, layers that join all before them."""
    n = _Layers(5)
    b = n.b
    x = n.conv(b.input((1, 7, 5, 4)), 20)
    primary = n.conv(x, 9, kernel=1)
    x = b.concatenation([primary, n.depthwise(primary, 3)], 3)
    first, second, third = n.conv(x, 16, kernel=1), n.conv(x, 16), n.depthwise(n.conv(x, 16, kernel=1))
    sums = [first, b.binary("ADD", first, second, scale=0.1, zero_point=-128)]
    sums.append(b.binary("ADD", sums[-1], third, scale=0.1, zero_point=-128))
    wide = b.concatenation(sums, 3)
    made = [n.conv(wide, 8, kernel=1)]
    for _ in range(2):
        made.append(n.depthwise(n.conv(b.concatenation(made, 3) if made[1:] else made[0], 8, kernel=1), 5))
    dense = b.concatenation(made, 3)
    for kernel in (3, 5):
        dense = b.concatenation([dense, n.conv(n.depthwise(dense, kernel), 4)], 3)
    return b.build([n.conv(b.concatenation([n.conv(dense, 6, kernel=1), dense], 3), 5, kernel=1)])


MODELS = {
    "growing": growing,
    "groups": groups,
    "fire": fire,
    "mixed": mixed,
    "rows": rows_and_vectors,
    "halves": halves,
}


def all_in_place(model: bytes, isa: Isa) -> Program:
    """Every part that can be is written in place, whatever that does to the arena."""
    program = lower_model(model, isa=isa)
    return write_in_place(program, joined(program))


def networks_of(isa: Isa, *, canaries: bool = True) -> Iterator[Network]:
    for name, make in MODELS.items():
        model = make()
        yield plan_network(model, all_in_place(model, isa), f"{name}_all", goal=WHOLE, canaries=canaries)
        yield compile_network(model, f"{name}_any", isa=isa, goal=ANY, canaries=canaries)
    if isa is not Isa.DSP:
        return
    for name, optimize in (("speed", Optimize.SPEED), ("size", Optimize.SIZE)):
        for kind in ("fire", "mixed", "groups"):
            made = MODELS[kind]()
            yield compile_network(made, f"{kind}_{name}", isa=isa, goal=WHOLE, optimize=optimize, canaries=True)


def test_on_the_host(tmp_path: Path) -> None:
    networks = list(networks_of(Isa.PORTABLE))
    prove_networks(networks, tmp_path, 2, optimise="-O0")


@pytest.mark.parametrize(("core", "isa"), [("cortex-m4", Isa.DSP), ("cortex-m0plus", Isa.V6M), ("cortex-m3", Isa.V7M)])
def test_on_a_core(core: str, isa: Isa, tmp_path: Path) -> None:
    require_module("unicorn")
    prove_on_core(list(networks_of(isa)), core, tmp_path)


def test_on_a_cortex_m55(tmp_path: Path) -> None:
    require_tool("qemu-system-arm")
    prove_in_qemu(list(networks_of(Isa.MVE, canaries=False)), tmp_path, "gcc")


def _copied(name: str, isa: Isa) -> list[tuple[int, ...]]:
    """The bytes of the parts that each concatenation which is left copies."""
    args = [
        arg for step in all_in_place(MODELS[name](), isa).steps if step.kernel == "tml_concatenate" for arg in step.args
    ]
    return [arg.values for arg in args if isinstance(arg, Ints) and arg.name == "part_bytes"]


@pytest.mark.parametrize(
    ("name", "isa", "copied"),
    [
        ("fire", Isa.PORTABLE, []),
        *((name, isa, []) for name in ("fire", "halves") for isa in (Isa.DSP, Isa.MVE, Isa.V6M)),
        *(("groups", isa, []) for isa in (Isa.DSP, Isa.MVE, Isa.V6M)),
        *(("mixed", isa, [(8, 2, 8)]) for isa in (Isa.DSP, Isa.MVE, Isa.V6M)),
        ("rows", Isa.PORTABLE, []),
        ("rows", Isa.DSP, []),
        *(("growing", isa, [(8, 8), (8,), (32,)]) for isa in (Isa.DSP, Isa.MVE, Isa.V6M)),
    ],
)
def test_what_is_left_to_copy(name: str, isa: Isa, copied: list[tuple[int, ...]]) -> None:
    """Nothing but constants and, side by side, what a convolution reads as well, and short runs of a curve."""
    assert _copied(name, isa) == copied


def test_the_arena_has_room_for_the_whole_once() -> None:
    network = compile_network(fire(), isa=Isa.DSP, goal=WHOLE)
    sizes = [t.size_bytes for t in network.program.graph.tensors if not t.is_constant]
    assert network.plan.arena_bytes < 2 * max(sizes) + 1024
