"""Finds the data beside the checkout and the tools on PATH; says why a test is skipped where one is missing.

With ``TINYML_REQUIRE_ALL=1`` in the environment a missing tool or file fails the test instead of skipping it; with
``TINYML_REQUIRE_ALL=tools`` a missing tool or module does (CI where the data is not beside the checkout).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def shared_dir() -> Path:
    """The folder with models and data sets: ``shared`` beside the checkout, or ``$TINYML_SHARED``."""
    override = os.environ.get("TINYML_SHARED")
    return Path(override) if override else REPOSITORY.parent / "shared"


def missing(reason: str, *, strict: tuple[str, ...] = ("1", "tools")) -> NoReturn:
    """Skip the running test with ``reason``; fail it where ``TINYML_REQUIRE_ALL`` has one of the ``strict`` values."""
    value = os.environ.get("TINYML_REQUIRE_ALL", "")
    if value in strict:
        pytest.fail(f"TINYML_REQUIRE_ALL={value}, but {reason}")
    pytest.skip(reason)


def require_shared(name: str) -> Path:
    """The path of ``name`` in the shared folder, or the test is skipped."""
    path = shared_dir() / name
    if not path.exists():
        missing(f"shared/{name} is not beside the checkout", strict=("1",))
    return path


def require_tool(name: str) -> Path:
    """The path of the program ``name``, or the test is skipped."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not on PATH")
    return Path(found)


def require_module(name: str) -> None:
    """Skip the test unless the module ``name`` can be imported (it is not imported here)."""
    if importlib.util.find_spec(name) is None:
        missing(f"the Python module {name} is not installed")


TFLM_REFERENCES = {
    "tflite_runtime": "TINYML_TFLITE_RUNTIME_PYTHON",
    "tflite_micro": "TINYML_TFLITE_MICRO_PYTHON",
}
"""Packages that round as TensorFlow Lite Micro does, and the variable that names a Python with one for the tests."""


def require_tflm_reference(package: str) -> str:
    """The Python that has ``package`` of :data:`TFLM_REFERENCES`; skip the test unless there is one.

    Never more than a skip: not every Python has a wheel of either.
    """
    variable = TFLM_REFERENCES[package]
    if variable in os.environ:
        return os.environ[variable]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed, and {variable} names no Python that has it")
    return sys.executable
