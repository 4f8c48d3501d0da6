"""What ``tinyml train`` may be given as a model: a catalogue name, or a Python file with ``build_model()``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyml.errors import UsageError
from tinyml.tflite.quiet import import_keras


@dataclass(frozen=True)
class Definition:
    """A network that can be built for a number of classes.

    ``input_shape`` is what it takes when nobody asks for another; ``build`` takes the options that it knows of
    ``classes`` and ``input_shape`` and gives an untrained ``keras.Model``. Where that is a form that only learns,
    ``finish`` makes the network itself of it, once it is trained.
    """

    name: str
    source: str
    input_shape: tuple[int, ...]
    task: str | None
    build: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[Any], Any] | None = None


def find_definition(model: str, options: Mapping[str, Any] | None = None) -> Definition:
    """The definition that ``model`` names; ``options`` of its builder replace the defaults.

    Raises:
        UsageError: no such catalogue name, file or option, or the file has no usable ``build_model``.
    """
    chosen = dict(options or {})
    return _from_file(Path(model), chosen) if model.endswith(".py") else _from_catalog(model, chosen)


def options_from_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON keeps them, with tuples again where it has lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}


def _check_options(name: str, chosen: Mapping[str, Any], known: Collection[str]) -> None:
    for key in chosen:
        if key not in known:
            raise UsageError(
                f"{name} has no option {key!r}", hint=f"its options are {', '.join(sorted(known)) or 'none'}"
            )


def _from_catalog(name: str, chosen: dict[str, Any]) -> Definition:
    from tinyml.models.catalog import build_model, find_entry

    entry = find_entry(name)
    _check_options(entry.name, chosen, entry.defaults)
    for key, value in chosen.items():
        default = entry.defaults[key]
        if isinstance(default, tuple) and not isinstance(value, tuple | str):
            chosen[key] = (value,)
        if type(default) in (int, float) and not isinstance(value, int | float):
            raise UsageError(f"{key}={value} of {entry.name} is no number", hint=f"its default is {default}")
    learns = entry.finish is not None and chosen.get("learning", True)

    def build(**options: Any) -> Any:
        import_keras()
        known = {key: value for key, value in options.items() if key in entry.defaults}
        known |= {"learning": True} if learns else {}
        try:
            return build_model(entry.name, **{**known, **chosen})
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            if not chosen:
                raise
            raise UsageError(
                f"{entry.name} can't be built with {_shown(chosen)}: {str(error).splitlines()[0]}",
                hint=f"its defaults are {_shown({key: entry.defaults[key] for key in chosen})}",
            ) from error

    def finish(learned: Any) -> Any:
        fitted = {"input_shape": learned.input_shape[1:], "classes": learned.output_shape[-1], "name": learned.name}
        assert entry.finish is not None
        return entry.finish(learned, **{**entry.defaults, **chosen, **fitted})

    shape = tuple(chosen.get("input_shape", entry.input_shape))
    return Definition(entry.name, entry.name, shape, entry.task, build, chosen, finish if learns else None)


def _from_file(path: Path, chosen: Mapping[str, Any]) -> Definition:
    function = _import_build_model(path)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise UsageError(f"build_model of {path} is no function: {error}") from error
    _check_options(f"build_model of {path}", chosen, parameters)
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())

    def build(**options: Any) -> Any:
        known = {**{key: value for key, value in options.items() if anything or key in parameters}, **chosen}
        keras = import_keras()
        try:
            model = function(**known)
        except Exception as error:  # the user's own code may raise anything
            raise UsageError(
                f"build_model({_shown(known)}) of {path} fails: {type(error).__name__}: {error}",
                hint=_without_default(parameters, known),
            ) from error
        if not isinstance(model, keras.Model) or not model.built:
            raise UsageError(
                f"build_model of {path} gives no built keras.Model but a {type(model).__name__}",
                hint="end it with `return keras.Model(inputs, outputs)`",
            )
        return model

    return Definition(path.stem, str(path), tuple(build().input_shape[1:]), None, build, chosen)


def _without_default(parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> str | None:
    """What to do where a parameter has no value: called without any, ``build_model`` tells the size of the input."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    empty = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in named and parameter.default is parameter.empty and name not in given
    ]
    return f"give {', '.join(empty)} a default: tinyml calls build_model() to see its input" if empty else None


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
        raise UsageError(
            f"{path} fails on import: {type(error).__name__}: {error}", hint=f"`python {path}` shows where"
        ) from error
    finally:
        sys.path.pop(0)
    function = getattr(module, "build_model", None)
    if not callable(function):
        raise UsageError(
            f"{path} has no function build_model", hint="define build_model(classes=…) that returns a keras.Model"
        )
    return function  # type: ignore[no-any-return]


def _shown(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in options.items())
