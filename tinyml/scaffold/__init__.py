"""The files that `tinyml new` copies; ``$board`` and ``$name`` are filled in."""
