"""Walking through a functional Keras model and building it again, changed call by call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinyml.errors import UnsupportedError
from tinyml.tflite.quiet import import_keras

Tensor = Any
Emit = Callable[["Call", tuple[Any, ...], Mapping[str, Any]], Any]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation in a model: what is called, the tensors it takes and gives."""

    operation: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    node: Any


@dataclass(frozen=True, eq=False)
class Calls:
    """All calls of a model in the order of the data, without its inputs."""

    model: Any
    calls: tuple[Call, ...]

    def consumers(self, tensor: Tensor) -> list[Call]:
        """The calls that take ``tensor``."""
        return [call for call in self.calls if any(taken is tensor for taken in call.inputs)]

    def sole_consumer(self, call: Call) -> Call | None:
        """The only call that takes the only output of ``call``; None where there are others or a model's output."""
        if len(call.outputs) != 1 or any(tensor is call.outputs[0] for tensor in self.model.outputs):
            return None
        consumers = self.consumers(call.outputs[0])
        return consumers[0] if len(consumers) == 1 else None

    def uses(self) -> Counter[int]:
        """How often each operation is called, by its ``id``: more than once where layers share weights."""
        return Counter(id(call.operation) for call in self.calls)


def calls_of(model: Any) -> Calls:
    """The calls of a functional or sequential model.

    Raises:
        UnsupportedError: the model is written by subclassing, so that its calls are not known.
    """
    levels = getattr(_functional(model), "_nodes_by_depth", None)
    if levels is None:
        raise UnsupportedError(
            f"model {model.name!r} is neither functional nor sequential: its layers' order is not known",
            hint="build it as keras.Model(inputs, outputs)",
        )
    calls = []
    for depth in sorted(levels, reverse=True):
        for node in levels[depth]:
            if not node.is_input:
                calls.append(Call(node.operation, tuple(node.input_tensors), tuple(node.outputs), node))
    return Calls(_functional(model), tuple(calls))


def rebuild(model: Any, emit: Emit, wrap_input: Callable[[int, Tensor], Tensor] = lambda index, tensor: tensor) -> Any:
    """A new functional model: ``emit(call, args, kwargs)`` gives what stands in place of each call.

    ``args`` and ``kwargs`` are the call's, with the new model's tensors in them. ``wrap_input`` is what comes behind
    each input. Inputs keep shape, type and name.
    """
    keras = import_keras()
    old = _functional(model)
    inputs = [keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t.name) for t in old.inputs]
    new = {id(tensor): wrap_input(index, inputs[index]) for index, tensor in enumerate(old.inputs)}
    for call in calls_of(model).calls:
        args, kwargs = call.node.arguments.fill_in(new)
        given = keras.tree.flatten(emit(call, args, kwargs))
        new |= {id(tensor): result for tensor, result in zip(call.outputs, given, strict=True)}
    outputs = [new[id(tensor)] for tensor in old.outputs]
    return keras.Model(_alone(inputs), _alone(outputs), name=model.name)


def flatten(model: Any) -> Any:
    """The model without models inside: their layers are called directly, and shared with the original."""
    keras = import_keras()
    if not any(isinstance(call.operation, keras.Model) for call in calls_of(model).calls):
        return model

    def emit(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if not isinstance(call.operation, keras.Model):
            return call.operation(*args, **kwargs)
        inner = calls_of(call.operation)
        tensors = {id(t): x for t, x in zip(inner.model.inputs, keras.tree.flatten(args), strict=True)}
        for step in inner.calls:
            step_args, step_kwargs = step.node.arguments.fill_in(tensors)
            given = keras.tree.flatten(emit(step, step_args, step_kwargs))
            tensors |= {id(tensor): result for tensor, result in zip(step.outputs, given, strict=True)}
        return [tensors[id(tensor)] for tensor in inner.model.outputs]

    return rebuild(model, emit)


def copy_layer(layer: Any, **changes: Any) -> Any:
    """A new layer with the configuration of ``layer``, changed, and without weights of its own yet."""
    return type(layer).from_config({**layer.get_config(), **changes})


def _alone(tensors: list[Tensor]) -> Any:
    """The tensor itself where there is one: Keras takes lists of one and single tensors for different structures."""
    return tensors if len(tensors) > 1 else tensors[0]


def _functional(model: Any) -> Any:
    """The functional model within a sequential one."""
    return getattr(model, "_functional", None) or model
