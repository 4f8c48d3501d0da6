"""Kernels for cores without SIMD (Cortex-M0, M0+: ARMv6-M; M3: ARMv7-M): when each applies, and how it is packed."""
