"""Layer norm and RMS norm as one step: the bytes of one op behind the other; what is none stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import pytest

from tests.kernels.arithmetic_cases import Draw
from tests.kernels.cases import Prove, model, sweep
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support import arithmetic_builder as add
from tests.support.native_kernels import prove_steps
from tests.support.tflite_builder import Builder
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.tflite.read import read_graph

RANDOM, SWEEP = 100, 2000
ON_CORE, TOGETHER = 12, 100


@dataclass(frozen=True)
class Norm:
    """A chain of a norm's ops; ``spoil`` names what it has that a layer norm has not."""

    shape: tuple[int, ...]
    centred: bool = True
    gain: bool = True
    offset: bool = True
    rows: bool = True
    spoil: str = ""

    def build(self, b: Builder, draw: Draw) -> list[int]:
        """Its outputs."""
        x = b.input(self.shape, scale=draw.scale(0.005, 0.2), zero_point=draw.zero_point())
        source, outputs = x, []
        if self.centred:
            keep = self.spoil != "a mean without the dimension"
            axes = [len(self.shape) - 1] if self.spoil != "a mean of a column" else [len(self.shape) - 2]
            if self.spoil == "a mean of all":
                axes = list(range(len(self.shape)))
            kind = "SUM" if self.spoil == "a sum" else "MEAN"
            mean = b.reduce(kind, x, axes, keep_dims=keep, **self._quant(b, x, draw, 0.2, 1.2))
            pair = (mean, x) if self.spoil == "the mean less x" else (x, mean)
            activation = "RELU" if self.spoil == "a difference with ReLU" else "NONE"
            source = b.binary("SUB", *pair, activation=activation, **self._quant(b, x, draw, 0.3, 2.0))
            outputs += {"the mean is an output": [mean], "the deviation is an output": [source]}.get(self.spoil, [])
        if self.rows:
            source = b.reshape(source, (prod(self.shape[:-1]), self.shape[-1]))
        y = add.normalised(b, "L2_NORMALIZATION", source)
        if self.spoil == "the quotient is an output":
            outputs.append(y)
        if self.gain:
            vector = b.constant(draw.bytes(self._length("a gain for all")), scale=draw.scale(0.005, 0.1),
                                zero_point=draw.pick(0, 0, -128, 5))  # fmt: skip
            base = b.values[vector].scale
            activation = "RELU6" if self.spoil == "a gain with ReLU6" else "NONE"
            y = b.binary("MUL", *draw.pick((y, vector), (vector, y)), scale=base * draw.scale(0.3, 3.0),
                         zero_point=draw.zero_point(), activation=activation)  # fmt: skip
        if self.offset:
            vector = b.constant(draw.bytes(self._length("an offset for all")), scale=draw.scale(0.005, 0.1))
            base = max(b.values[y].scale, b.values[vector].scale)
            y = b.binary("ADD", *draw.pick((y, vector), (vector, y)), scale=base * draw.scale(0.3, 3.0),
                         zero_point=draw.zero_point())  # fmt: skip
        return [b.reshape(y, self.shape) if self.rows else y, *outputs]

    def _length(self, spoil: str) -> int:
        return 1 if self.spoil == spoil else self.shape[-1]

    @staticmethod
    def _quant(b: Builder, x: int, draw: Draw, low: float, high: float) -> dict[str, Any]:
        return {"scale": b.values[x].scale * draw.scale(low, high), "zero_point": draw.zero_point()}


def case(draw: Draw) -> bytes:
    """Ranks 2 to 4, with and without the mean, the gain and the offset, by rows of their own or not."""
    depth = draw.pick(draw.size(9, 2), 4 * draw.size(24), draw.size(200, 2))
    shape = (*(draw.size(4) for _ in range(draw.size(3))), depth)
    centred, gain = draw.pick((True, True), (True, True), (True, False), (False, True))
    return norm(Norm(shape, centred, gain, gain and draw.flag(0.7), draw.flag()), draw)


def norm(what: Norm, draw: Draw) -> bytes:
    """The file of a chain."""
    return model(lambda b: what.build(b, draw))


def kinds(data: bytes) -> list[str]:
    """The steps' kinds."""
    return [step.kind for step in lower(read_graph(data), Target(Isa.PORTABLE)).steps]


def test_random_cases(tmp_path: Path) -> None:
    prove_steps([case(Draw(seed)) for seed in range(RANDOM)], tmp_path)


@pytest.mark.sweep
def test_sweep(tmp_path: Path) -> None:
    prove_steps([case(Draw(seed)) for seed in range(10_000, 10_000 + SWEEP)], tmp_path)


@pytest.mark.parametrize(("core", "compiler"), [("cortex-m4", "gcc"), ("cortex-m33", "zig")])
def test_random_cases_on_the_dsp_extension(core: str, compiler: str, tmp_path: Path) -> None:
    cases = [Expected(case(Draw(seed)), "tml_layer_norm_dsp", f"norm {seed}") for seed in range(ON_CORE)]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, count=1)


@pytest.mark.sweep
def test_sweep_on_the_dsp_extension(tmp_path: Path) -> None:
    for seeds, folder in sweep(tmp_path, SWEEP, TOGETHER):
        made = ((seed, case(Draw(seed))) for seed in seeds)
        cases = [Expected(data, lowered(data)[2].kernel, f"norm {seed}") for seed, data in made]
        prove_on_core(cases, folder, optimise="-O2", count=1)


def test_generated_c(prove: Prove) -> None:
    prove([case(Draw(seed)) for seed in range(6)], count=1)


WHOLE = Norm((2, 3, 8))


@pytest.mark.parametrize(
    "what",
    [
        WHOLE,
        replace(WHOLE, rows=False),
        replace(WHOLE, offset=False),
        replace(WHOLE, gain=False, offset=False),
        replace(WHOLE, centred=False),
        replace(WHOLE, centred=False, offset=False),
    ],
)
def test_a_norm_is_one_step(what: Norm) -> None:
    """Nothing lies between, rows of another shape neither, and the result may lie over what it is made of."""
    program = lower(read_graph(norm(what, Draw(1))), Target(Isa.PORTABLE))
    (step,) = program.steps
    assert step.kind == "LAYER_NORM" and step.in_place == ((0, 0),) and step.scratch_bytes == 0
    assert {program.graph.tensors[t].shape for t in program.graph.activations()} == {what.shape}


@pytest.mark.parametrize(
    ("spoil", "left"),
    [
        ("a mean of a column", ["MEAN", "SUB", "LAYER_NORM"]),
        ("a mean of all", ["MEAN", "SUB", "LAYER_NORM"]),
        ("a sum", ["SUM", "SUB", "LAYER_NORM"]),
        ("the mean less x", ["MEAN", "SUB", "LAYER_NORM"]),
        ("a difference with ReLU", ["MEAN", "SUB", "LAYER_NORM"]),
        ("the mean is an output", ["MEAN", "SUB", "LAYER_NORM"]),
        ("the deviation is an output", ["MEAN", "SUB", "LAYER_NORM"]),
        ("the quotient is an output", ["LAYER_NORM", "MUL", "ADD"]),
        ("a gain for all", ["LAYER_NORM", "MUL", "ADD"]),
        ("a gain with ReLU6", ["LAYER_NORM", "MUL", "ADD"]),
        ("an offset for all", ["LAYER_NORM", "ADD"]),
    ],
)
def test_what_is_not_of_the_norm_stays(spoil: str, left: list[str], prove: Prove) -> None:
    data = norm(replace(WHOLE, spoil=spoil), Draw(2))
    assert kinds(data) == left
    prove([data])


def test_a_quotient_alone_stays() -> None:
    assert kinds(norm(Norm((2, 8), False, False, False), Draw(1))) == ["L2_NORMALIZATION"]
