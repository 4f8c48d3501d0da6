"""Keras definitions of small networks, one family a file, and the catalogue of their named sizes."""

from tinyml.models import drop_path, norms  # their layers may stand in any file that is loaded

__all__ = ["drop_path", "norms"]
