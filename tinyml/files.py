"""Files and folders that are whole or not there: written under a temporary name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tinyml.errors import UsageError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path with ``path``'s suffix; when the body succeeds, rename it to ``path`` in one step.

    Raises:
        UsageError: the folder cannot be made or written, or the body finds the disk full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        try:
            temporary.chmod(0o644)
            temporary.replace(path)
        except OSError as error:
            raise unwritable(path, error) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise unwritable(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes | str) -> None:
    """Write ``content`` (text as UTF-8) so that ``path`` never holds half of it.

    Raises:
        UsageError: the folder cannot be made or written, or the disk is full.
    """
    with replacing(path) as temporary:
        try:
            temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        except OSError as error:
            raise unwritable(path, error) from error


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; when the body succeeds, it becomes ``path`` in one step.

    Raises:
        UsageError: there are files at ``path``, it cannot be written, or the disk is full.
    """
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{path} is not empty", hint="choose another --output")
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield work
        work.chmod(0o755)
        if path.is_dir():
            path.rmdir()
        work.rename(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def unwritable(path: Path, error: OSError) -> UsageError:
    """The error for a path that cannot be written, with what the system said."""
    return UsageError(
        f"cannot write {path}: {error.strerror or error}",
        hint="free some space" if error.errno in _NO_ROOM else "choose another --output, or make it writable",
    )
