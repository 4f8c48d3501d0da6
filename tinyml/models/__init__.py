"""Keras definitions of small networks, one family a file, and the catalogue of their named sizes."""
