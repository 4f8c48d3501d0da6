"""Follows what a board prints: lines from a serial port, a socket, a pipe or a file, decoded and shown."""
