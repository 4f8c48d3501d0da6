"""The reference for TensorFlow Lite Micro's rounding of FULLY_CONNECTED: its own interpreter, or tflite-runtime 2.14.

The interpreter is TensorFlow's ``tflite-micro``, built for this machine, for Python 3.10 to 3.13. tflite-runtime rounds
as it does, but has no wheel past Python 3.11, breaks under NumPy 2 and beside TensorFlow. So either lives in a process
of its own, of the Python that the environment variable :data:`PYTHON_VARIABLE` names or of this one, and is spoken to
through files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import BuildError, UnsupportedError
from tinyml.graph.ir import Graph
from tinyml.tflite.repair import with_outputs

PYTHON_VARIABLE = "TINYML_TFLITE_RUNTIME_PYTHON"

_HINT = (
    "pip install tflite-micro, or python3.11 -m venv ~/tflite-runtime && "
    "~/tflite-runtime/bin/pip install tflite-runtime==2.14.0 'numpy<2' && "
    f"export {PYTHON_VARIABLE}=~/tflite-runtime/bin/python"
)


class TfliteRuntime:
    """One model in a worker process, which ends with this object.

    Raises BuildError where neither package is installed, UnsupportedError for models that it gets wrong: it
    silently ignores per-channel scales of FULLY_CONNECTED.
    """

    def __init__(self, data: bytes, graph: Graph) -> None:
        for op in graph.ops:
            if op.kind == "FULLY_CONNECTED" and len(graph.tensors[op.inputs[1]].shape) == 2:
                quant = graph.tensors[op.inputs[1]].quant
                if quant is not None and quant.per_channel:
                    raise UnsupportedError(
                        f"layer {op.name!r} has a weight scale for each channel, which tflite-runtime ignores",
                        hint="match LiteRT, or convert with one scale a dense layer (the default of tinyml quantize)",
                    )
        self._folder = Path(tempfile.mkdtemp(prefix="tinyml-reference-"))
        model = self._folder / "model.tflite"
        self._inputs = np.asarray([graph.source_tensors[t] for t in graph.inputs], np.int64)
        # Its ADD writes over its first input, preserved tensors or not, unless that is an output of the graph.
        made = [graph.source_tensors[t] for op in graph.ops for t in op.outputs]
        model.write_bytes(with_outputs(data, made))
        worker = Path(__file__).with_name("tflite_runtime_worker.py")
        python = os.environ.get(PYTHON_VARIABLE, sys.executable)
        try:
            self._process = subprocess.Popen(
                [python, "-I", str(worker), str(model)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError as error:
            shutil.rmtree(self._folder)
            raise BuildError(f"cannot start {python}: {error.strerror}", hint=_HINT) from error
        self._finalizer = weakref.finalize(self, _stop, self._process, self._folder)
        self._answer()

    def invoke(self, inputs: Sequence[npt.NDArray[Any]], wanted: Sequence[int]) -> list[npt.NDArray[Any]]:
        """Run the model once on ``inputs``, in their shapes; the tensors ``wanted``, by their index in the file.

        Raises UnsupportedError where the other process fails or ends.
        """
        path = self._folder / "request.npz"
        arrays: dict[str, Any] = {f"input_{i}": array for i, array in enumerate(inputs)}
        np.savez(path, inputs=self._inputs, wanted=np.asarray(wanted, np.int64), **arrays)
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{path}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise UnsupportedError("tflite-runtime ended while it ran the model", hint="match LiteRT") from error
        self._answer()
        with np.load(f"{path}.out.npz") as outputs:
            return [outputs[f"output_{i}"] for i in range(len(wanted))]

    def _answer(self) -> None:
        assert self._process.stdout is not None
        status, _, reason = self._process.stdout.readline().strip().partition(" ")
        if status == "ok":
            return
        if status == "missing":
            raise BuildError(f"neither tflite-runtime nor tflite-micro is installed ({reason[:200]})", hint=_HINT)
        raise UnsupportedError(
            f"tflite-runtime refuses the model: {reason[:300] or 'it crashed'}", hint="match LiteRT, the default"
        )


def _stop(process: subprocess.Popen[str], folder: Path) -> None:
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            # Of a process that died, closing writes what it did not take, and fails.
            if stream is not None:
                stream.close()
    process.terminate()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
