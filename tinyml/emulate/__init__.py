"""Runs firmware on the board's core in an emulator, counts instructions and compares outputs with the reference."""
