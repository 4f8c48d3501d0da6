"""What ``tinyml train`` may be given as a model: a catalogue name, or a Python file with ``build_model()``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_keras


@dataclass(frozen=True)
class Definition:
    """A network that can be built for a number of classes.

    ``input_shape`` is what it takes when nobody asks for another; ``build`` takes the options that it knows of
    ``classes`` and ``input_shape`` and gives an untrained ``keras.Model``.
    """

    name: str
    source: str
    input_shape: tuple[int, ...]
    task: str | None
    build: Callable[..., Any]


def find_definition(model: str) -> Definition:
    """The definition that ``model`` names.

    Raises:
        UsageError: no such catalogue name or file, or the file has no usable ``build_model``.
    """
    return _from_file(Path(model)) if model.endswith(".py") else _from_catalog(model)


def _from_catalog(name: str) -> Definition:
    from tinyml.models.catalog import build_model, find_entry

    entry = find_entry(name)

    def build(**options: Any) -> Any:
        import_keras()
        return build_model(entry.name, **{key: value for key, value in options.items() if key in entry.defaults})

    return Definition(entry.name, entry.name, entry.input_shape, entry.task, build)


def _from_file(path: Path) -> Definition:
    function = _import_build_model(path)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise UsageError(f"build_model of {path} is no function: {error}") from error
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())

    def build(**options: Any) -> Any:
        known = {key: value for key, value in options.items() if anything or key in parameters}
        keras = import_keras()
        try:
            model = function(**known)
        except Exception as error:  # the user's own code may raise anything
            raise UsageError(
                f"build_model({_shown(known)}) of {path} fails: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(model, keras.Model) or not model.built:
            raise UsageError(
                f"build_model of {path} gives no built keras.Model but a {type(model).__name__}",
                hint="end it with `return keras.Model(inputs, outputs)`",
            )
        return model

    return Definition(path.stem, str(path), tuple(build().input_shape[1:]), None, build)


def _import_build_model(path: Path) -> Callable[..., Any]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="`tinyml new` makes a project with a model.py")
    spec = importlib.util.spec_from_file_location(f"tinyml_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    import_keras()
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code may raise anything
        raise UsageError(f"{path} fails on import: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    function = getattr(module, "build_model", None)
    if not callable(function):
        raise UsageError(
            f"{path} has no function build_model", hint="define build_model(classes=…) that returns a keras.Model"
        )
    return function  # type: ignore[no-any-return]


def _shown(options: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in options.items())
