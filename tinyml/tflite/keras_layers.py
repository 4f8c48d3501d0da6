"""Keras layers of our own that a ``.keras`` file may hold: who defines one says so here, who loads a file calls them.

Their classes need Keras and are therefore made on first use, by a function without arguments, which registers them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Maker = TypeVar("Maker", bound=Callable[[], object])

_MAKERS: list[Callable[[], object]] = []


def makes_layers(maker: Maker) -> Maker:
    """Decorate a function that makes layers and registers them with Keras (``register_keras_serializable``)."""
    _MAKERS.append(maker)
    return maker


def register_layers() -> None:
    """Make every layer that has been told of, so that Keras finds it by its registered name."""
    for maker in _MAKERS:
        maker()
