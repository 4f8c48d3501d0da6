"""Runs single steps on this machine without generating C: each kernel is compiled once, its numbers given at run time.

So thousands of cases take seconds. What the compiler makes of literal numbers is for the tests of generated C.
"""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.host_build import host_compiler, random_inputs
from tinyml.graph.ir import Graph
from tinyml.lower.lowering import lower
from tinyml.lower.program import ConstRef, Float, In, Int, Ints, Isa, Optimize, Out, Pointers, Scratch, Step, Target
from tinyml.paths import templates_dir
from tinyml.tflite.reference import Reference

Array = npt.NDArray[Any]

_GUARD_BYTES = 64
_GUARD = 0xA5
_RULER = 16


class NativeKernels:
    """The kernels compiled so far, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Callable[..., None]] = {}

    def run(
        self, graph: Graph, step: Step, inputs: Sequence[Array], before: Mapping[int, Array] | None = None
    ) -> list[Array]:
        """The step's outputs for ``inputs``; fails where it writes beyond its outputs or its scratch.

        ``before`` is what lies in outputs, by their position, when the step begins.
        """
        call = self._compiled(step)
        whole = [_Room(array.nbytes, array) for array in inputs]
        outputs = [
            _Room(graph.tensor(t).size_bytes, (before or {}).get(position)) for position, t in enumerate(step.outputs)
        ]
        scratch = _Room(step.scratch_bytes)
        consts = [_Room(const.size_bytes, const.data) for const in step.consts]
        arrays: list[_Room] = []
        pointers: list[int] = []
        numbers: list[int] = []
        floats: list[float] = []
        for arg in step.args:
            match arg:
                case In(i):
                    pointers.append(whole[i].address)
                case Out(i):
                    pointers.append(outputs[i].address)
                case Scratch():
                    pointers.append(scratch.address)
                case ConstRef(i):
                    pointers.append(consts[i].address)
                case Ints(_, values):
                    arrays.append(_Room(4 * len(values), np.array(values, np.int32)))
                    pointers.append(arrays[-1].address)
                case Pointers(_, items):
                    places = [(whole if isinstance(item, In) else consts)[item.index].address for item in items]
                    arrays.append(_Room(8 * len(places), np.array(places, np.uint64)))
                    pointers.append(arrays[-1].address)
                case Int(_, value):
                    numbers.append(value)
                case Float(_, value):
                    floats.append(value)
        call(
            (ctypes.c_void_p * (len(pointers) + 1))(*pointers),
            (ctypes.c_int64 * (len(numbers) + 1))(*numbers),
            (ctypes.c_double * (len(floats) + 1))(*floats),
        )
        for what, room in (("output", outputs), ("scratch", [scratch]), ("input", whole), ("constant", consts)):
            assert all(one.sound for one in room), f"{step.kernel} wrote beyond its {what}"
        return [
            room.content.view(graph.tensor(t).dtype.numpy).reshape(graph.tensor(t).shape)
            for room, t in zip(outputs, step.outputs, strict=True)
        ]

    def _compiled(self, step: Step) -> Callable[..., None]:
        source = _source(step)
        if source not in self._known:
            stem = hashlib.sha256(source.encode()).hexdigest()[:16]
            file, library = self._folder / f"{stem}.c", self._folder / f"{stem}.so"
            file.write_text(source, encoding="utf-8")
            flags = ["-std=c11", "-O2", "-fwrapv", "-w", "-shared", "-fPIC", "-I", str(templates_dir() / "runtime")]
            done = subprocess.run(
                [*host_compiler(), *flags, str(file), "-o", str(library)], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr[:2000]
            self._known[source] = ctypes.CDLL(str(library)).call
        return self._known[source]


class _Room:
    """Bytes between two guards."""

    def __init__(self, size_bytes: int, content: Array | None = None) -> None:
        self._all = np.full(size_bytes + 2 * _GUARD_BYTES + _RULER, _GUARD, np.uint8)
        start = self._all.ctypes.data + _GUARD_BYTES
        self._first = _GUARD_BYTES + (-start) % _RULER
        self._size = size_bytes
        self.address = self._all.ctypes.data + self._first
        if content is not None:
            self.content[:] = np.frombuffer(np.ascontiguousarray(content).tobytes(), np.uint8)

    @property
    def content(self) -> Array:
        return self._all[self._first : self._first + self._size]

    @property
    def sound(self) -> bool:
        before, after = self._all[: self._first], self._all[self._first + self._size :]
        return bool((before == _GUARD).all() and (after == _GUARD).all())


def _source(step: Step) -> str:
    pointers = numbers = floats = 0
    args: list[str] = []
    for arg in step.args:
        match arg:
            case Int(_, _):
                args.append(f"(int32_t)v[{numbers}]")
                numbers += 1
            case Float(_, _):
                args.append(f"(float)f[{floats}]")
                floats += 1
            case In(_) | Out(_) | Scratch() | ConstRef(_) | Ints(_, _) | Pointers(_, _):
                args.append(f"p[{pointers}]")
                pointers += 1
            case _:
                raise TypeError(f"{type(arg).__name__} is no argument of a single step")
    return (
        f'#include "{step.header}"\nvoid call(void **p, const int64_t *v, const double *f);\n'
        f"void call(void **p, const int64_t *v, const double *f) {{\n    {step.kernel}({', '.join(args)});\n}}\n"
    )


def prove_steps(models: Sequence[bytes], folder: Path, count: int = 2, kernels: NativeKernels | None = None) -> None:
    """Each model of one op on extreme and ``count`` random inputs; every byte has to be the reference kernel's."""
    native = kernels or NativeKernels(folder)
    for index, model in enumerate(models):
        reference = Reference(model)
        graph = reference.graph
        (step,) = lower(graph, Target(Isa.PORTABLE, Optimize.BALANCED)).steps
        for inputs in random_inputs([graph.tensors[t] for t in graph.inputs], count):
            by_tensor = dict(zip(graph.inputs, inputs, strict=True))
            got = native.run(graph, step, [by_tensor[t] for t in step.inputs])
            for left, right in zip(got, reference.run(inputs), strict=True):
                wrong = np.flatnonzero(left.ravel() != right.ravel())
                assert not len(wrong), (
                    f"model {index}, {step.kernel}: {len(wrong)} of {right.size} differ, at {wrong[:6].tolist()}"
                    f" {left.ravel()[wrong[:6]].tolist()} for {right.ravel()[wrong[:6]].tolist()};"
                    f" {[a for a in step.args if isinstance(a, Int | Ints)]}"
                )
