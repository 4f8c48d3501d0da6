"""Runs a model for :mod:`tinyml.tflite.reference_tflm`, in a process and a Python of its own.

In tflite-runtime 2.14 or in TensorFlow Lite Micro's own interpreter (``tflite-micro``), whichever is there.

Started as a script with the path of a ``.tflite`` file. It imports nothing of tinyml, because the Python that has
tflite-runtime and NumPy 1 is another one. A request is one line on stdin, the path of an ``.npz`` with ``inputs`` and
``wanted`` (tensor indices) and ``input_0`` …; the answer is ``output_0`` … in a file of that path with ``.out.npz``
appended, and one line on stdout, ``ok`` or ``error`` and the reason.
"""

from __future__ import annotations

import sys
from typing import Any

ARENA_BYTES = 1 << 28
"""Of TensorFlow Lite Micro's interpreter, with every tensor kept; what it does not use is never touched."""


class _Runtime:
    """tflite-runtime."""

    def __init__(self, model_path: str, interpreter: Any, resolver: Any) -> None:
        self._interpreter = interpreter(
            model_path=model_path,
            experimental_op_resolver_type=resolver.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        self._interpreter.allocate_tensors()

    def invoke(self, inputs: list[tuple[int, Any]], wanted: list[int]) -> list[Any]:
        """Run once on ``inputs``, by their tensors' indices; the tensors ``wanted``."""
        for index, array in inputs:
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in wanted]


class _Micro:
    """TensorFlow Lite Micro's interpreter and its reference kernels, built for this machine."""

    def __init__(self, model_path: str, runtime: Any) -> None:
        self._interpreter = runtime.Interpreter.from_file(
            model_path, arena_size=ARENA_BYTES, intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors
        )

    def invoke(self, inputs: list[tuple[int, Any]], wanted: list[int]) -> list[Any]:
        """Run once on ``inputs``, which it takes in the file's order; the tensors ``wanted``."""
        for position, (_, array) in enumerate(inputs):
            self._interpreter.set_input(array, position)
        self._interpreter.invoke()
        return [self._interpreter.GetTensor(index, 0)["tensor_data"] for index in wanted]


def _open(model_path: str) -> Any:
    try:
        from tflite_runtime.interpreter import Interpreter, OpResolverType
    except Exception as error:
        try:
            from tflite_micro import runtime
        except ImportError:
            raise ImportError(f"{type(error).__name__}: {error}") from error
        return _Micro(model_path, runtime)
    return _Runtime(model_path, Interpreter, OpResolverType)


def main(model_path: str) -> int:
    """Serve requests until stdin ends; returns the exit code."""
    import numpy as np

    try:
        engine = _open(model_path)
    except Exception as error:
        kind = "missing" if isinstance(error, ImportError) else "error"
        print(f"{kind} {error}".replace("\n", " "), flush=True)
        return 1
    print("ok", flush=True)
    for line in sys.stdin:
        path = line.rstrip("\n")
        try:
            request = np.load(path)
            inputs = [(int(index), request[f"input_{i}"]) for i, index in enumerate(request["inputs"])]
            outputs = engine.invoke(inputs, [int(index) for index in request["wanted"]])
            arrays = {f"output_{i}": array for i, array in enumerate(outputs)}
            np.savez(path + ".out.npz", **arrays)
            print("ok", flush=True)
        except Exception as error:
            print(f"error {error}".replace("\n", " "), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
