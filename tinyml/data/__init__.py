"""Data sets in their public layouts, read sample by sample; :func:`open_dataset` finds a folder's layout out."""

from tinyml.data.base import Dataset, Decoded, Sample, Skipped
from tinyml.data.detect import LAYOUTS, DatasetOptions, detect, open_dataset

__all__ = ["LAYOUTS", "Dataset", "DatasetOptions", "Decoded", "Sample", "Skipped", "detect", "open_dataset"]
