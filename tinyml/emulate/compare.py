"""Compares what a firmware computed with TFLite's reference kernels, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyml.emulate.result import Emulation
from tinyml.errors import BuildError
from tinyml.graph.ir import Graph, Tensor

Array = npt.NDArray[Any]


class NamedInputs(Protocol):
    """One set of network inputs with a name for messages."""

    @property
    def name(self) -> str:
        """What the inputs are called."""

    @property
    def arrays(self) -> tuple[Array, ...]:
        """An array for each input of the network."""


class ReferenceRuns(Protocol):
    """The oracle: outputs for inputs, and every tensor by its index in the model's file."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs."""

    def trace(self, inputs: Sequence[Array]) -> Mapping[int, Array]:
        """Every tensor."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first element that differs: of which input, tensor (its index in the model's file) and layer."""

    inputs: str
    tensor: int
    tensor_name: str
    layer: str
    element: tuple[int, ...]
    got: float
    want: float
    differing: int
    elements: int

    def __str__(self) -> str:
        at = ", ".join(map(str, self.element))
        return (
            f"input {self.inputs!r}: tensor {self.tensor} {self.tensor_name!r} (layer {self.layer!r}) differs first at"
            f" [{at}]: got {self.got:g}, want {self.want:g}; {self.differing} of {self.elements} elements differ"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many inputs were compared and differ, the first difference, and how many tensors were traced."""

    inputs: int
    mismatches: int
    first: Difference | None
    tensors: int

    @property
    def equal(self) -> bool:
        """Whether every byte of every input's outputs and traced tensors equals the reference's."""
        return self.mismatches == 0


def compare(graph: Graph, run: Emulation, reference: ReferenceRuns, stimuli: Sequence[NamedInputs]) -> Comparison:
    """Compares the outputs of ``run`` and, where it has traces, every traced tensor in the order of computation.

    ``graph`` is the compiled graph; ``stimuli`` are the inputs that ``run`` was made with, in order. Raises BuildError
    where the firmware gave another number of bytes than the network's outputs have.
    """
    if len(run.outputs) != len(stimuli):
        raise BuildError(f"the firmware gave outputs for {len(run.outputs)} of {len(stimuli)} inputs")
    traces = run.traces or [{} for _ in stimuli]
    tensors = {source: index for index, source in enumerate(graph.source_tensors) if source >= 0}
    mismatches, first = 0, None
    for stimulus, output, trace in zip(stimuli, run.outputs, traces, strict=True):
        wanted = reference.trace(stimulus.arrays) if trace else {}
        found = next(
            (
                difference
                for source, data in trace.items()
                if (difference := _difference(graph, tensors[source], source, data, wanted[source], stimulus.name))
            ),
            None,
        ) or _compare_outputs(graph, output, reference.run(stimulus.arrays), stimulus.name)
        mismatches += found is not None
        first = first or found
    return Comparison(len(stimuli), mismatches, first, len(traces[0]) if traces else 0)


def _compare_outputs(graph: Graph, content: bytes, wanted: Sequence[Array], name: str) -> Difference | None:
    expected = sum(graph.tensors[index].size_bytes for index in graph.outputs)
    if len(content) != expected:
        raise BuildError(f"the firmware wrote {len(content)} output bytes for an input, the network has {expected}")
    position = 0
    for index, want in zip(graph.outputs, wanted, strict=True):
        size = graph.tensors[index].size_bytes
        source = graph.source_tensors[index] if graph.source_tensors else index
        found = _difference(graph, index, source, content[position : position + size], want, name)
        if found is not None:
            return found
        position += size
    return None


def _difference(graph: Graph, index: int, source: int, data: bytes, want: Array, name: str) -> Difference | None:
    wanted = np.ascontiguousarray(graph.of_source(index, want))
    if data == wanted.tobytes():
        return None
    tensor: Tensor = graph.tensors[index]
    got = np.frombuffer(data, wanted.dtype).reshape(wanted.shape) if len(data) == wanted.nbytes else None
    if got is None:
        raise BuildError(f"the firmware traced {len(data)} bytes of tensor {source}, the reference has {wanted.nbytes}")
    bits = np.dtype(f"u{wanted.dtype.itemsize}")
    differ = got.view(bits) != wanted.view(bits)
    element = tuple(int(i) for i in np.argwhere(differ)[0]) if wanted.ndim else ()
    producer = graph.producers().get(index)
    layer = graph.ops[producer].name if producer is not None else "input"
    return Difference(
        inputs=name,
        tensor=source,
        tensor_name=tensor.name,
        layer=layer,
        element=element,
        got=float(got[element]),
        want=float(wanted[element]),
        differing=int(differ.sum()),
        elements=got.size,
    )
