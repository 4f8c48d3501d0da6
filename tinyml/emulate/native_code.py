"""Compiles the small native hooks for the host, once, into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tinyml.firmware.build import find_zig
from tinyml.paths import cache_dir

SOURCES = Path(__file__).parent / "native"


def host_compiler() -> list[str] | None:
    """The command of a C compiler for this machine: ``cc``, ``gcc``, ``clang`` or zig's, or None."""
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            return [found]
    zig = find_zig()
    return [str(zig), "cc"] if zig else None


def shared_object(name: str) -> Path | None:
    """The shared object of ``native/NAME.c``, compiled if the cache does not have it.

    None where there is no compiler, it fails, or the cache can't be written: callers have a slower way.
    """
    compiler = host_compiler()
    if compiler is None:
        return None
    try:
        content = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
        key = hashlib.sha256(content + "\0".join(compiler).encode()).hexdigest()[:16]
        folder = cache_dir() / "native"
        target = folder / f"{name}-{key}.so"
        if target.is_file():
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            output = Path(scratch) / "out.so"
            command = [*compiler, "-shared", "-fPIC", "-O2", "-o", str(output), str(SOURCES / f"{name}.c")]
            subprocess.run(command, check=True, capture_output=True, timeout=120, env=os.environ)
            output.replace(target)
        return target
    except (OSError, subprocess.SubprocessError):
        return None
