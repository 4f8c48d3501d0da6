"""Runs a model in tflite-runtime 2.14 for :mod:`tinyml.tflite.reference_tflm`, in a process and a Python of its own.

Started as a script with the path of a ``.tflite`` file. It imports nothing of tinyml, because the Python that has
tflite-runtime and NumPy 1 is another one. A request is one line on stdin, the path of an ``.npz`` with ``inputs`` and
``wanted`` (tensor indices) and ``input_0`` …; the answer is ``output_0`` … in a file of that path with ``.out.npz``
appended, and one line on stdout, ``ok`` or ``error`` and the reason.
"""

from __future__ import annotations

import sys
from typing import Any


def main(model_path: str) -> int:
    """Serve requests until stdin ends; returns the exit code."""
    import numpy as np

    try:
        from tflite_runtime.interpreter import Interpreter, OpResolverType
    except Exception as error:
        print(f"missing {type(error).__name__}: {error}", flush=True)
        return 1
    try:
        interpreter: Any = Interpreter(
            model_path=model_path,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        interpreter.allocate_tensors()
    except Exception as error:
        print(f"error {error}".replace("\n", " "), flush=True)
        return 1
    print("ok", flush=True)
    for line in sys.stdin:
        path = line.rstrip("\n")
        try:
            request = np.load(path)
            for position, index in enumerate(request["inputs"]):
                interpreter.set_tensor(int(index), request[f"input_{position}"])
            interpreter.invoke()
            arrays = {f"output_{i}": interpreter.get_tensor(int(t)) for i, t in enumerate(request["wanted"])}
            np.savez(path + ".out.npz", **arrays)
            print("ok", flush=True)
        except Exception as error:
            print(f"error {error}".replace("\n", " "), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
