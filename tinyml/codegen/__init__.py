"""Program and plan → C sources."""

from tinyml.codegen.generate import generate

__all__ = ["generate"]
