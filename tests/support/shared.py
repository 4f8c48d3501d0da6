"""Finds the data beside the checkout and the tools on PATH; says why a test is skipped where one is missing.

With ``TINYML_REQUIRE_ALL=1`` in the environment (CI) a missing tool or file fails the test instead of skipping it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def shared_dir() -> Path:
    """The folder with models and data sets: ``shared`` beside the checkout, or ``$TINYML_SHARED``."""
    override = os.environ.get("TINYML_SHARED")
    return Path(override) if override else REPOSITORY.parent / "shared"


def missing(reason: str) -> NoReturn:
    """Skip the running test with ``reason``; fail it where everything is required."""
    if os.environ.get("TINYML_REQUIRE_ALL") == "1":
        pytest.fail(f"TINYML_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def require_shared(name: str) -> Path:
    """The path of ``name`` in the shared folder, or the test is skipped."""
    path = shared_dir() / name
    if not path.exists():
        missing(f"shared/{name} is not beside the checkout")
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
