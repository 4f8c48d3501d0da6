"""A norm over whole examples as one step: the bytes of one op behind the other; what is none stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import Prove, model, sweep
from tests.kernels.in_qemu import prove_on_m55
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support import arithmetic_builder as add
from tests.support.native_kernels import prove_steps
from tests.support.tflite_builder import Builder
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.tflite.read import read_graph

RANDOM, SWEEP = 100, 2000
ON_CORE, TOGETHER = 16, 100


@dataclass(frozen=True)
class Norm:
    """A chain of a norm's ops; ``spoil`` names what it has that a norm over whole examples has not."""

    shape: tuple[int, ...]
    gain: bool = True
    offset: bool = True
    epsilon: bool = True
    batch: bool = False
    spoil: str = ""

    def build(self, b: Builder, draw: Draw) -> list[int]:
        """Its outputs."""
        x = b.input(self.shape, scale=draw.scale(0.005, 0.2), zero_point=draw.zero_point())
        rank, base = len(self.shape), b.values[x].scale
        axes = list(range(0 if self.batch else 1, rank))
        few = list(range(2, rank))
        mean = b.reduce("MEAN", x, few if self.spoil == "a mean of a part" else axes, keep_dims=True,
                        scale=base * draw.scale(0.02, 1.0), zero_point=draw.zero_point())  # fmt: skip
        deviation = b.binary("SUB", x, mean, scale=base * draw.scale(0.4, 1.6), zero_point=draw.zero_point())
        spread = b.values[deviation].scale
        other = x if self.spoil == "a product with the input" else deviation
        square = b.binary("MUL", deviation, other, scale=spread * spread * draw.scale(20, 140), zero_point=-128)
        kind = "SUM" if self.spoil == "a sum" else "MEAN"
        variance = b.reduce(kind, square, axes, keep_dims=True, zero_point=-128,
                            scale=b.values[square].scale * draw.scale(0.1, 1.0))  # fmt: skip
        outputs = [variance] if self.spoil == "the variance is an output" else []
        power = variance
        if self.epsilon:
            power = b.binary("ADD", variance, b.constant(draw.bytes(1), scale=1e-7, zero_point=-128),
                             scale=b.values[variance].scale * 1.0001, zero_point=-128)  # fmt: skip
        root = add.curve(b, "RSQRT", power, scale=draw.scale(0.004, 0.05), zero_point=-128)
        outputs += [deviation] if self.spoil == "the deviation is an output" else []
        pair = draw.pick((deviation, root), (root, deviation))
        y = b.binary("MUL", *pair, scale=draw.scale(0.01, 0.05), zero_point=draw.zero_point())
        if self.gain:
            length = 1 if self.spoil == "a gain for all" else self.shape[-1]
            vector = b.constant(draw.bytes(length), scale=draw.scale(0.005, 0.02), zero_point=draw.pick(0, -128))
            y = b.binary("MUL", y, vector, scale=0.02 * draw.scale(0.5, 3.0), zero_point=draw.zero_point())
        if self.offset:
            vector = b.constant(draw.bytes(self.shape[-1]), scale=draw.scale(0.005, 0.02))
            y = b.binary("ADD", y, vector, scale=0.03 * draw.scale(0.5, 3.0), zero_point=draw.zero_point())
        return [y, *outputs]


def case(draw: Draw) -> bytes:
    """Ranks 2 to 4, with and without gain and offset, one or more examples, by themselves or all as one."""
    depth = draw.pick(draw.size(9, 2), 4 * draw.size(12), draw.size(40, 2))
    shape = (draw.size(2), *(draw.size(5) for _ in range(draw.size(3) - 1)), depth)
    gain = draw.flag(0.7)
    return norm(Norm(shape, gain, gain and draw.flag(0.7), draw.flag(0.7), draw.flag(0.3)), draw)


def norm(what: Norm, draw: Draw) -> bytes:
    """The file of a chain."""
    return model(lambda b: what.build(b, draw))


def kinds(data: bytes) -> list[str]:
    """The steps' kinds."""
    return [step.kind for step in lower(read_graph(data), Target(Isa.PORTABLE)).steps]


def test_random_cases(tmp_path: Path) -> None:
    made = [case(Draw(seed)) for seed in range(RANDOM)]
    assert all(kinds(data) == ["WHOLE_NORM"] for data in made)
    prove_steps(made, tmp_path)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    prove_steps([case(Draw(seed)) for seed in range(10_000, 10_000 + SWEEP)], tmp_path)


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases_on_the_dsp_extension(core: str, compiler: str, tmp_path: Path) -> None:
    cases = [Expected(case(Draw(seed)), "tml_whole_norm_dsp", f"norm {seed}") for seed in range(ON_CORE)]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, count=1)


def on_mve(seed: int) -> Expected:
    """A case with the kernel that is chosen for it."""
    data = case(Draw(seed))
    return Expected(data, lowered(data, isa=Isa.MVE)[2].kernel, f"norm {seed}")


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_random_cases_on_a_cortex_m55(compiler: str, tmp_path: Path) -> None:
    made = [on_mve(seed) for seed in range(2 * ON_CORE)]
    assert sum(one.kernel == "tml_whole_norm_mve" for one in made) > len(made) // 3
    prove_on_m55(made, tmp_path, compiler=compiler, count=1)


@pytest.mark.sweep
def test_sweep_on_cores(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        made = ((seed, case(Draw(seed))) for seed in seeds)
        cases = [Expected(data, lowered(data)[2].kernel, f"norm {seed}") for seed, data in made]
        prove_on_core(cases, folder, optimise="-O2", count=1)
        prove_on_m55([on_mve(seed) for seed in seeds], folder, count=1)


def test_generated_c(prove: Prove) -> None:
    prove([case(Draw(seed)) for seed in range(4)], count=1)


WHOLE = Norm((1, 4, 3, 8))


@pytest.mark.parametrize(
    "what",
    [
        WHOLE,
        replace(WHOLE, epsilon=False),
        replace(WHOLE, offset=False),
        replace(WHOLE, gain=False, offset=False),
        replace(WHOLE, shape=(2, 3, 8)),
        replace(WHOLE, batch=True, shape=(2, 24)),
    ],
)
def test_a_norm_is_one_step(what: Norm) -> None:
    """Nothing lies between, and the result may lie over what it is made of."""
    (step,) = lower(read_graph(norm(what, Draw(1))), Target(Isa.PORTABLE)).steps
    assert step.kind == "WHOLE_NORM" and step.in_place == ((0, 0),) and step.scratch_bytes == 0


CHAIN = ["MEAN", "SUB", "MUL", "MEAN", "LOOKUP", "MUL", "MUL", "ADD"]


@pytest.mark.parametrize(
    ("spoil", "left"),
    [
        ("a mean of a part", CHAIN),
        ("a product with the input", CHAIN),
        ("a sum", ["MEAN", "SUB", "MUL", "SUM", *CHAIN[4:]]),
        ("the variance is an output", CHAIN),
        ("the deviation is an output", CHAIN),
        ("a gain for all", ["WHOLE_NORM", "MUL", "ADD"]),
    ],
)
def test_what_is_not_of_the_norm_stays(spoil: str, left: list[str], prove: Prove) -> None:
    data = norm(replace(WHOLE, spoil=spoil), Draw(2))
    assert kinds(data) == left
    prove([data])
