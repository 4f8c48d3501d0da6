"""Where boards and firmware templates are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _share(name: str) -> Path:
    installed = _PACKAGE / "_share" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def boards_dir() -> Path:
    """The directory of the boards that ship with tinyml."""
    return _share("boards")


def templates_dir() -> Path:
    """The directory of the C runtime, the drivers, the applications and the PlatformIO platform."""
    return _share("firmware_templates")


def cache_dir() -> Path:
    """The user's cache directory for what can be made again: ``$TINYML_CACHE``, else ``tinyml`` in the XDG cache."""
    chosen = os.environ.get("TINYML_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyml"
