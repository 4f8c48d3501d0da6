"""Quantising a ``.keras`` file with representative samples of the user's own, where no data set of ours is at hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tinyml
import tinyml.models  # its layers may stand in the file
from tinyml.errors import UsageError
from tinyml.files import write_file
from tinyml.tflite.convert import Sample, convert, load_keras


def quantise_with_samples(
    path: Path, samples: Path, *, labels: Sequence[str] = (), output: Path | None = None
) -> tuple[dict[str, Any], Path]:
    """Convert the ``.keras`` file at ``path`` to int8, the ranges taken from ``samples``; gives manifest and target.

    ``samples`` is a ``.npy`` file with a stack of inputs, float as the model takes them, or for several inputs a
    ``.npz`` file with one stack each, named as the model's inputs. The ``.tflite`` and its manifest (``.json``) go to
    ``output`` or beside the model.

    Raises:
        UsageError: a file is missing or no array, the shapes do not match, another number of labels than outputs.
        UnsupportedError: the model cannot be loaded or converted.
    """
    model = load_keras(path)
    outputs = int(model.outputs[0].shape[-1])
    if labels and len(labels) != outputs:
        raise UsageError(
            f"{len(labels)} labels were given, {path} has {outputs} outputs",
            hint="give --labels one name for each output, in their order",
        )
    stacks = _load(samples, [tensor.name for tensor in model.inputs])
    examples: list[Sample] = list(zip(*stacks, strict=True))
    content = convert(model, examples)
    target = output or path.with_suffix(".tflite")
    manifest = {
        "model": {"name": model.name},
        "keras_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "labels": list(labels),
        "calibration_examples": len(examples),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "tinyml_version": tinyml.__version__,
    }
    write_file(target, content)
    write_file(target.with_suffix(".json"), json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return manifest, target


def _load(path: Path, names: Sequence[str]) -> list[Any]:
    """The stacks of samples in the order of the model's inputs, equally long."""
    if not path.is_file():
        raise UsageError(f"there is no samples file {path}", hint="write one with numpy.save(path, inputs[:300])")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            stacks = {names[0]: loaded}
        else:
            with loaded:
                stacks = {name: loaded[name] for name in loaded.files}
    except (ValueError, EOFError) as error:
        raise UsageError(f"{path} holds no array of numbers", hint="write it with numpy.save") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", hint="write it with numpy.save") from error
    missing = [name for name in names if name not in stacks]
    if missing:
        raise UsageError(
            f"{path} has no array for the input {missing[0]!r}",
            hint=f"give a .npz file with the arrays {', '.join(names)}",
        )
    chosen = [stacks[name] for name in names]
    if any(stack.ndim == 0 or not np.issubdtype(stack.dtype, np.number) for stack in chosen):
        raise UsageError(
            f"{path} does not hold stacks of numbers",
            hint="stack inputs as the model takes them along the first axis: numpy.save, or numpy.savez by input",
        )
    if len({len(stack) for stack in chosen}) != 1:
        raise UsageError(
            f"{path} has {', '.join(str(len(s)) for s in chosen)} samples for the {len(names)} inputs",
            hint="save as many samples of every input",
        )
    return chosen
