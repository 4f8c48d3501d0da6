"""Renders, builds and measures the PlatformIO project of a board and an application."""
