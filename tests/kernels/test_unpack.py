"""Packed weights expand to themselves: every scheme on random arrays, on the host's and the cores' own kernels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.qemu_steps import run_in_qemu
from tests.support.step_build import Case, StepProgram
from tinyml.graph.ir import Graph
from tinyml.lower.program import Arg, Const, ConstRef, In, Int, Isa, Out, Program, Role, Step, Target
from tinyml.lower.unpack import KIND, Packed, expand, pack_const, with_packed, words_of

Array = npt.NDArray[Any]
Make = Callable[[np.random.Generator, int], Array]


def few(values: int, dtype: str) -> Make:
    """Arrays of so many distinct values."""

    def make(rng: np.random.Generator, size: int) -> Array:
        info = np.iinfo(dtype)
        palette = rng.integers(info.min, info.max, values, dtype=dtype, endpoint=True)
        return rng.choice(palette, size)

    return make


def sparse(part: float, dtype: str) -> Make:
    """Arrays of which ``part`` is zero and the rest anything."""

    def make(rng: np.random.Generator, size: int) -> Array:
        info = np.iinfo(dtype)
        dense = rng.integers(info.min, info.max, size, dtype=dtype, endpoint=True)
        return np.where(rng.random(size) < part, 0, dense).astype(dtype)

    return make


def records(values: int, dtype: str) -> Make:
    """Runs of a few values with other words before, between and after them, as kernels have weights and biases."""

    def make(rng: np.random.Generator, size: int) -> Array:
        coded = few(values, dtype)(rng, 8 * size).view(np.int32).reshape(8, -1)
        plain = rng.integers(-(2**31), 2**31, (8, 6)).astype(np.int32)
        return np.concatenate([plain[:, :2], coded, plain[:, 2:]], axis=1).ravel()

    return make


SCHEMES: dict[str, Make] = {
    **{f"{n} values of {dtype}": few(n, dtype) for n in (1, 2, 3, 4, 9, 16) for dtype in ("int8", "uint8")},
    **{f"{n} values of {dtype}": few(n, dtype) for n in (2, 9, 16, 200) for dtype in ("int16", "int32", "uint32")},
    **{f"{p} zeros of {dtype}": sparse(p, dtype) for p in (0.7, 0.9, 0.999) for dtype in ("int8", "int16", "uint32")},
    **{f"records of {n} of {dtype}": records(n, dtype) for n in (2, 3, 16) for dtype in ("int8", "int16")},
    "all zeros": lambda rng, size: np.zeros(size, np.int8),
}


def packed_arrays(seed: int) -> dict[str, Packed]:
    rng = np.random.default_rng(seed)
    sizes = (1000, 1024, 1537 if seed % 2 else 2043)
    found = {}
    for name, make in SCHEMES.items():
        size = int(rng.choice(sizes))
        data = make(rng, size // 4 * 4 if "records" in name else size)
        packed = pack_const(Const("weights", data, Role.WEIGHTS))
        assert packed is not None, name
        found[name] = packed
    return found


def case_of(packed: Packed) -> Case:
    """The step that expands ``packed``, in a graph that holds its output alone."""
    args: tuple[Arg, ...] = (In(0), ConstRef(0), Int("unused", 0))
    reader = Step("layer", "CONV_2D", "kernel", "kernel.h", (), (), args, (packed.original,))
    graph = Graph("weights", (), (), (), ())
    program = with_packed(Program(graph, Target(Isa.PORTABLE), (reader,)), {(0, 0): packed})
    step, read = program.steps
    assert step.kind == KIND and read.consts == () and read.args == (In(0), In(0), Int("unused", 0))
    assert step.args[2] == Out(0) and read.inputs == step.outputs
    return Case(program.graph, step)


def check(name: str, packed: Packed, output: Array) -> None:
    wanted = words_of(packed.original)
    assert np.array_equal(output.reshape(-1).view(np.uint32), wanted), name


@pytest.mark.parametrize("seed", range(3))
def test_the_compiler_knows_what_comes_out(seed: int) -> None:
    for name, packed in packed_arrays(seed).items():
        assert np.array_equal(expand(packed), words_of(packed.original)), name
        assert 0 < packed.size_bytes < packed.original.size_bytes, name


def test_every_kernel_and_width_is_tried() -> None:
    """The arrays above take both kernels, each size of a unit and each width of a code."""
    used = {(p.kernel, *(arg.value for arg in p.ints)) for seed in range(3) for p in packed_arrays(seed).values()}
    assert {(kernel, unit) for kernel, unit, *_ in used} == {
        *(("tml_unpack_codes", unit) for unit in (1, 2, 4)),
        *(("tml_unpack_zeros", unit) for unit in (1, 2, 4)),
    }
    assert {ints[1] for kernel, *ints in used if kernel == "tml_unpack_codes"} == {1, 2, 4, 8}


@pytest.mark.parametrize("array", ["dense bytes", "few words"])
def test_what_saves_nothing_stays(array: str) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(-128, 128, 5000).astype(np.int8) if array == "dense bytes" else np.zeros(4, np.int8)
    assert pack_const(Const("weights", data, Role.WEIGHTS)) is None


@pytest.mark.parametrize(
    ("core", "compiler", "optimise"),
    [
        ("cortex-m0plus", "gcc", "-O2"),
        ("cortex-m0plus", "zig", "-O2"),
        ("cortex-m3", "gcc", "-Os"),
        ("cortex-m3", "gcc", "-O2"),
        ("cortex-m4", "gcc", "-O2"),
        ("cortex-m4", "zig", "-O2"),
    ],
)
def test_cores(core: str, compiler: str, optimise: str, tmp_path: Path) -> None:
    """Equal to what was packed; as firmware is compiled, in no more instructions than the plan reckons with."""
    packed = packed_arrays(1)
    program = StepProgram([case_of(p) for p in packed.values()], core, tmp_path, compiler=compiler, optimise=optimise)
    for index, (name, one) in enumerate(packed.items()):
        run = program.run(index, [], count=True)
        check(name, one, run.outputs[0])
        assert optimise == "-Os" or run.instructions <= one.instructions + 60, name


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_m55(compiler: str, tmp_path: Path) -> None:
    packed = packed_arrays(2)
    cases = [case_of(p) for p in packed.values()]
    results = run_in_qemu(cases, [[[]] for _ in cases], tmp_path, compiler=compiler)
    for (name, one), (outputs,) in zip(packed.items(), results, strict=True):
        check(name, one, outputs[0])
