"""Quantisation-aware training: a network that computes in float what its int8 file will.

:func:`prepare` folds batch norms and puts a range behind every tensor that the int8 file holds; the result trains like
any Keras model. :func:`bake` gives what is converted: kernels rounded for good, ranges fixed. The converter takes the
scales of the activations from the fake-quantisation ops of those ranges, and finds the kernels' scales again as
``max|w| / 127``, since rounding leaves a channel's largest weight where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyml.compression.fake_quant import quantised_layers, round_kernel
from tinyml.compression.fold import fold, has_kernel, is_depthwise
from tinyml.compression.rebuild import Call, calls_of, copy_layer, rebuild
from tinyml.compression.ties import Site, find_sites, kind
from tinyml.errors import UsageError
from tinyml.tflite.convert import Sample, convert, load_keras
from tinyml.tflite.quiet import import_keras

AVERAGED, LEARNED, FIXED = "averaged", "learned", "fixed"


def prepare(
    model: Any,
    *,
    ranges: str = AVERAGED,
    input_ranges: Sequence[tuple[float, float] | None] | None = None,
    per_channel_dense: bool = False,
) -> Any:
    """The network to train, from a trained float model; its ranges are 0 to 1 until :func:`calibrate`.

    Args:
        ranges: ``averaged`` over the batches' extremes, or ``learned`` by gradient.
        input_ranges: the real values of -128 and 127 for each input where they are given, as in
            :func:`tinyml.tflite.convert.convert`.
        per_channel_dense: a scale for every unit of a dense layer, as there.

    Raises:
        UnsupportedError: the model is not functional, or has layers that cannot be trained quantised.
        UsageError: a layer's weights are all of one magnitude, which training on would undo.
    """
    forms = quantised_layers()
    _require_real_weights(model)
    folded = fold(model)
    graph = calls_of(folded)
    given = frozenset(index for index, limits in enumerate(input_ranges or ()) if limits is not None)
    sites = find_sites(graph, given)
    copies: dict[int, Any] = {}
    ranges_made: dict[int, Any] = {}

    def ranged(x: Any, site: Site, mode: str = ranges) -> Any:
        if site.group not in ranges_made:
            ranges_made[site.group] = forms.Range(mode=mode, name=f"{sites.names[site.group]}_range")
        return ranges_made[site.group](x, observe=site.observe)

    def at_input(index: int, tensor: Any) -> Any:
        result = ranged(tensor, sites.at_inputs[index], FIXED if index in given else ranges)
        limits = input_ranges[index] if input_ranges is not None else None
        if limits is not None:
            _set(ranges_made[sites.at_inputs[index].group], limits)
        return result

    def emit(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        layer = call.operation
        if has_kernel(layer):
            if id(layer) not in copies:
                per_channel = per_channel_dense or kind(layer) != "Dense"
                copies[id(layer)] = forms.by_layer[type(layer)](**layer.get_config(), per_channel=per_channel)
            result = copies[id(layer)](*args, **kwargs)
            copies[id(layer)].set_weights(layer.get_weights())
        else:
            result = layer(*args, **kwargs)
        site = sites.behind.get(id(call.node))
        return result if site is None else ranged(result, site)

    return rebuild(folded, emit, at_input)


def _require_real_weights(model: Any) -> None:
    for layer in model.layers:
        kernel = None if getattr(layer, "kernel", None) is None else np.abs(np.asarray(layer.kernel))
        if kernel is not None and kernel.size > 1 and kernel.max() == kernel.min() > 0:
            value = f"{kernel.flat[0]:g}"
            raise UsageError(
                f"layer {layer.name!r} holds only -{value} and {value}, which training on as int8 would undo",
                hint="quantize without --qat: such weights lose nothing as int8",
            )


def calibrate(model: Any, batches: Iterable[Any]) -> None:
    """Set the ranges of a prepared model that are not fixed to the extremes over ``batches`` of inputs, in float.

    Raises:
        UsageError: there are no batches.
    """
    keras = import_keras()
    ranges = {layer.name: layer for layer in ranges_of(model)}
    for layer in ranges.values():
        layer.passing = True
    try:
        graph = calls_of(model)
        taps = [(call.operation, call.outputs[0]) for call in graph.calls if call.operation.name in ranges]
        seen: dict[str, tuple[float, float]] = {}
        watch = keras.Model(model.input, [tensor for _, tensor in taps])
        for batch in batches:
            for (layer, _), values in zip(taps, watch(batch, training=False), strict=True):
                low, high = seen.get(layer.name, (0.0, 0.0))
                seen[layer.name] = min(low, float(np.min(values))), max(high, float(np.max(values)))
    finally:
        for layer in ranges.values():
            layer.passing = False
    if not seen:
        raise UsageError("no batches to calibrate with", hint="give some of the training data, 100 examples or so")
    for name, (low, high) in seen.items():
        if ranges[name].mode != FIXED:
            _set(ranges[name], (low, high))


def ranges_of(model: Any) -> list[Any]:
    """The ranges of a prepared or baked model, in the order of its layers."""
    return [layer for layer in model.layers if isinstance(layer, quantised_layers().Range)]


def load_prepared(path: Path) -> Any:
    """Read a ``.keras`` file of a prepared model.

    Raises:
        UsageError, UnsupportedError: as :func:`tinyml.tflite.convert.load_keras`.
    """
    quantised_layers()
    return load_keras(path)


def bake(model: Any) -> Any:
    """The network to convert, from a prepared one: plain layers with rounded kernels, fixed ranges.

    It computes what the prepared network does with ``training=False``.
    """
    forms = quantised_layers()
    plain: dict[Any, Any] = {form: base for base, form in forms.by_layer.items()}
    copies: dict[int, Any] = {}

    def emit(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        layer = call.operation
        if type(layer) in plain:
            config = layer.get_config()
            per_channel = config.pop("per_channel")
            copy = copies.setdefault(id(layer), plain[type(layer)].from_config(config))
            result = copy(*args, **kwargs)
            kernel, *bias = layer.get_weights()
            copy.set_weights([round_kernel(kernel, is_depthwise(layer), per_channel), *bias])
            return result
        if not isinstance(call.operation, forms.Range):
            return layer(*args, **kwargs)
        if id(layer) not in copies:
            copies[id(layer)] = copy_layer(layer, mode=FIXED)
            _set(copies[id(layer)], layer.limits())
        return copies[id(layer)](*args, **kwargs)

    return rebuild(model, emit)


def convert_prepared(model: Any, samples: Iterable[Sample], *, per_channel_dense: bool = False) -> bytes:
    """Convert a prepared network to int8: its scales are the trained ones.

    ``samples`` set only what has no range of its own, such as what lies inside a hard sigmoid.

    Raises:
        UnsupportedError, UsageError: as :func:`tinyml.tflite.convert.convert`.
    """
    return convert(bake(model), samples, per_channel_dense=per_channel_dense)


def _set(layer: Any, limits: tuple[float, float]) -> None:
    for variable, limit in zip((layer.low, layer.high), limits, strict=True):
        variable.assign(limit)
