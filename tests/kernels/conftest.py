"""Fixtures of the kernel tests."""

from tests.kernels.cases import prove

__all__ = ["prove"]
