"""Keras definitions of small networks, one family a file, and the catalogue of their named sizes."""

# their layers may stand in any file that is loaded
from tinyml.models import binary, drop_path, gru_kws, learned_groups, norms, super_resolution

__all__ = ["binary", "drop_path", "gru_kws", "learned_groups", "norms", "super_resolution"]
