"""Graph and target → the C kernel, constants and scratch of every step."""
