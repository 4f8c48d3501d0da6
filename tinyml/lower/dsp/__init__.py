"""Kernels for cores with the DSP extension (Cortex-M4, M7, M33): when each applies, and how its weights are packed."""
