"""Kernels for cores with MVE (Cortex-M55 and its kind): when each applies, and how its weights are packed."""
