"""The oracle: TFLite's reference kernels, for the outputs and every intermediate tensor.

By default these are LiteRT's (``ai_edge_litert``) with ``OpResolverType.BUILTIN_REF``: the default kernels (XNNPACK)
can differ by one. ``match="tflm"`` is TensorFlow Lite Micro's own interpreter or tflite-runtime 2.14, whose
FULLY_CONNECTED rounds as it does, in a process of its own (:mod:`tinyml.tflite.reference_tflm`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyml.errors import UnsupportedError, UsageError
from tinyml.graph.ir import Graph
from tinyml.graph.ops.state import has_state
from tinyml.tflite.quiet import quiet_native_stderr
from tinyml.tflite.read import read_graph
from tinyml.tflite.repair import repair, without_wide_softmax
from tinyml.tflite.wide_softmax import in_turn, is_defined

Array = npt.NDArray[Any]


class Engine(Protocol):
    """A runtime that executes one model."""

    def invoke(self, inputs: Sequence[Array], wanted: Sequence[int]) -> list[Array]:
        """Run the model once on ``inputs``; copies of the tensors ``wanted``, by their index in the file."""


class Reference:
    """Runs a model through the reference kernels.

    The file goes through :func:`~tinyml.tflite.read.read_graph` first, which also makes it safe to give to native
    code: LiteRT aborts the process on some contradictions that the reader refuses. Raises its errors, and
    UnsupportedError where the runtime refuses the model.
    """

    def __init__(self, model: Path | bytes, match: str = "litert") -> None:
        self.graph: Graph = read_graph(model, match=match)
        data = repair(model if isinstance(model, bytes) else model.read_bytes())
        self._data = data
        self._wide = in_turn(self.graph)
        self._heads: dict[int, Engine] = {}
        self._engine: Engine
        if match == "tflm":
            from tinyml.tflite.reference_tflm import TfliteRuntime

            self._engine = TfliteRuntime(data, self.graph)
        else:
            self._engine = _LiteRt(data, self._file_indices(self.graph.inputs), keeps=has_state(self.graph))

    def defined(self, inputs: Sequence[Array]) -> bool:
        """Whether the kernels give a result for ``inputs``; a SOFTMAX of very many nearly equal logits has none."""
        return all(self._passes(number, inputs) for number in range(len(self._wide)))

    def _passes(self, number: int, inputs: Sequence[Array]) -> bool:
        """The same of one group of ops, all before it being defined: the network up to them runs."""
        ops = self._wide[number]
        if number not in self._heads:
            data = without_wide_softmax(self._data, self.graph, ops)
            self._heads[number] = _LiteRt(data, self._file_indices(self.graph.inputs))
        logits = self._heads[number].invoke(self._checked(inputs), self._file_indices([op.inputs[0] for op in ops]))
        return all(is_defined(self.graph, op, values) for op, values in zip(ops, logits, strict=True))

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for ``inputs``, arrays of the graph's shapes and dtypes, in the graph's order.

        Raises UnsupportedError where they are not :meth:`defined`.
        """
        return self._invoke(inputs, self._file_indices(self.graph.outputs))

    def trace(self, inputs: Sequence[Array]) -> dict[int, Array]:
        """Every run-time tensor for ``inputs``: the graph's inputs and each op's output, by its index in the file."""
        wanted = [t for t in self._file_indices(tuple(self.graph.activations())) if t >= 0]
        return dict(zip(wanted, self._invoke(inputs, wanted), strict=True))

    def _invoke(self, inputs: Sequence[Array], wanted: Sequence[int]) -> list[Array]:
        if not self.defined(inputs):
            raise undefined(self._wide[0][0].name)
        return self._engine.invoke(self._checked(inputs), wanted)

    def _file_indices(self, tensors: Sequence[int]) -> list[int]:
        return [self.graph.source_tensors[t] for t in tensors]

    def _checked(self, inputs: Sequence[Array]) -> list[Array]:
        wanted = [self.graph.tensors[i] for i in self.graph.inputs]
        if len(inputs) != len(wanted):
            raise UsageError(f"got {len(inputs)} inputs, the model has {len(wanted)}", hint="give one array for each")
        checked = []
        for position, (array, tensor) in enumerate(zip(inputs, wanted, strict=True)):
            if array.size != tensor.elements or array.dtype != tensor.dtype.numpy:
                raise UsageError(
                    f"input {position} is {array.dtype} {array.shape}, the model takes "
                    f"{tensor.dtype.value} {tensor.shape}",
                    hint="quantise and reshape the data as the model's input is",
                )
            checked.append(np.ascontiguousarray(array).reshape(tensor.shape))
        return checked


class _LiteRt:
    """LiteRT's interpreter; of a network that ``keeps`` state a new one for each run, so that each is a first one."""

    def __init__(self, data: bytes, inputs: Sequence[int], *, keeps: bool = False) -> None:
        self._data = data
        self._keeps = keeps
        self._inputs = inputs
        self._start()

    def _start(self) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        try:
            with quiet_native_stderr():
                self._interpreter: Any = Interpreter(
                    model_content=self._data,
                    experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                    experimental_preserve_all_tensors=True,
                    num_threads=1,
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise refused("LiteRT", error) from error

    def invoke(self, inputs: Sequence[Array], wanted: Sequence[int]) -> list[Array]:
        if self._keeps:
            self._start()
        for index, array in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, array)
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise refused("LiteRT", error) from error
        return [np.array(self._interpreter.get_tensor(index)) for index in wanted]


def undefined(layer: str) -> UnsupportedError:
    """The error for an input on which a wide SOFTMAX has no result, where the runtime would stop the process."""
    return UnsupportedError(
        f"TFLite's SOFTMAX of layer {layer!r} is not defined for this input: its logits are too many and nearly equal",
        hint="leave the softmax out of the model: the largest logit is the same class",
    )


def refused(runtime: str, error: Exception) -> UnsupportedError:
    """The error for a model that the reference itself does not run: there is nothing to be equal to."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return UnsupportedError(
        f"{runtime}'s reference kernels refuse the model: {first[:300]}",
        hint="without a reference nothing can be proven; convert the model again with current TensorFlow",
    )
