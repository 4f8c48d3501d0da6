"""Writes a PlatformIO project to disk: all of it or nothing, and never over what is not tinyml's or was edited."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml import __version__
from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.firmware.arduino import render_arduino
from tinyml.firmware.environments import environments
from tinyml.firmware.render import render_files
from tinyml.lower.program import Optimize

MANIFEST = "manifest.json"
_PENDING = ".tinyml-pending.json"
DEFAULT_NETWORK_FLAGS = ("-O2",)
SMALLEST_NETWORK_FLAGS = ("-Os",)
"""For ``--optimize size``: 5 to 25 % less code than -O2, at most 5 % more instructions (measured, GCC 12 and zig)."""


@dataclass(frozen=True, slots=True)
class Project:
    """A rendered project: its folder, what it is for, and the names of its environments, the board's own first."""

    directory: Path
    board: Board
    app: str
    toolchain: str
    environments: tuple[str, ...]


def network_flags(optimize: Optimize) -> tuple[str, ...]:
    """The compiler's flags for the network of a build that is to ``optimize`` for this."""
    return SMALLEST_NETWORK_FLAGS if optimize is Optimize.SIZE else DEFAULT_NETWORK_FLAGS


def render_project(
    board: Board,
    sources: Mapping[str, str],
    *,
    app: str = "benchmark",
    output_dir: Path,
    manifest: Mapping[str, Any] | None = None,
    model_name: str = "network",
    toolchain: str = "auto",
    network_flags: Sequence[str] = DEFAULT_NETWORK_FLAGS,
    app_values: Mapping[str, str] | None = None,
    lib_deps: Sequence[str] = (),
    libraries: Mapping[str, str] | None = None,
    library_flags: Sequence[str] = (),
    framework: str = "baremetal",
    force: bool = False,
) -> Project:
    """Writes the project into ``output_dir`` and returns it.

    ``sources`` maps ``network.h`` and ``network.c`` to their text; ``manifest`` is what the caller records of model,
    options and budgets (JSON values); ``network_flags`` are the compiler's flags for the network alone; ``app_values``
    are the macros that the application needs (:mod:`tinyml.firmware.app_values`), ``lib_deps``, ``libraries`` and
    ``library_flags`` what another engine takes from a library; ``framework`` is ``baremetal`` or ``arduino``. A new
    folder appears complete or not at all. In an existing one of ours only what changed is written, so that a warm
    build stays warm, and files that the user added stay.

    Raises UsageError where ``output_dir`` exists and is not a project of ours, where a file of it was edited (unless
    ``force``), and where it can't be written.
    """
    if framework == "arduino":
        files = render_arduino(
            board,
            sources,
            app=app,
            model_name=model_name,
            network_flags=tuple(network_flags),
            app_values=app_values or {},
        )
    else:
        files = render_files(
            board,
            dict(sources),
            app=app,
            model_name=model_name,
            toolchain=toolchain,
            network_flags=tuple(network_flags),
            app_values=app_values,
            lib_deps=tuple(lib_deps),
            libraries=libraries or {},
            library_flags=tuple(library_flags),
        )
    hashes = {name: _hash(text) for name, text in sorted(files.items())}
    content = {
        **(manifest or {}),
        "tinyml": {"version": __version__, "board": board.name, "app": app, "toolchain": toolchain},
        "model_name": model_name,
        "network_flags": list(network_flags),
        "files": hashes,
    }
    files[MANIFEST] = json.dumps(content, indent=2, sort_keys=True, default=str) + "\n"
    output_dir = output_dir.absolute()
    try:
        if output_dir.is_dir() and any(output_dir.iterdir()):
            _update(output_dir, files, hashes, force=force)
        else:
            _create(output_dir, files)
    except OSError as error:
        raise UsageError(
            f"can't write the project {output_dir}: {error.strerror or error}",
            hint="choose another folder with --output",
        ) from error
    return Project(output_dir, board, app, toolchain, tuple(e.name for e in environments(board)))


def record_in_manifest(project: Project, entries: Mapping[str, Any]) -> None:
    """Add ``entries`` (JSON values) to the project's manifest, such as what was measured of the built firmware."""
    path = project.directory / MANIFEST
    content = json.loads(path.read_text("utf-8"))
    _write(path, json.dumps({**content, **entries}, indent=2, sort_keys=True, default=str) + "\n")


def forget_in_manifest(directory: Path, names: Sequence[str]) -> None:
    """Take entries out of the manifest of the project in ``directory``; nothing where there is none that is ours.

    A build does so before it begins, so that what a failed one leaves is never taken for built and proven.
    """
    path = directory / MANIFEST
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return
    if not isinstance(content, dict) or "tinyml" not in content or not any(name in content for name in names):
        return
    kept = {name: value for name, value in content.items() if name not in names}
    with contextlib.suppress(OSError):  # what cannot be written is refused where the project is rendered
        _write(path, json.dumps(kept, indent=2, sort_keys=True, default=str) + "\n")


def _create(directory: Path, files: Mapping[str, str]) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        for name, text in files.items():
            _write(temporary / name, text)
        temporary.chmod(0o755)
        if directory.is_dir():
            directory.rmdir()
        temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _update(directory: Path, files: Mapping[str, str], hashes: Mapping[str, str], *, force: bool) -> None:
    known = _known_hashes(directory)
    edited = [name for name, accepted in sorted(known.items()) if _was_edited(directory / name, accepted)]
    if edited and not force:
        names = ", ".join(edited[:5]) + (f" and {len(edited) - 5} more" if len(edited) > 5 else "")
        raise UsageError(
            f"{directory} has {len(edited)} edited file{'s' if len(edited) > 1 else ''}: {names}",
            hint="choose another folder with --output, undo the edits, or overwrite them with `tinyml build --force`",
        )
    unknown = [name for name in hashes if name not in known and (directory / name).exists()]
    in_the_way = [name for name in unknown if _differs(directory / name, hashes[name])]
    if in_the_way and not force:
        raise UsageError(
            f"{directory / in_the_way[0]} is not tinyml's and would be overwritten",
            hint="rename it, or overwrite it with `tinyml build --force`",
        )
    # With the new hashes noted first, an interrupted update is not taken for the user's edits.
    _write(directory / _PENDING, json.dumps(hashes))
    for name, text in files.items():
        if name != MANIFEST and _differs(directory / name, hashes[name]):
            _write(directory / name, text)
    for name in known:
        if name not in hashes:
            (directory / name).unlink(missing_ok=True)
    _write(directory / MANIFEST, files[MANIFEST])
    (directory / _PENDING).unlink()


def _known_hashes(directory: Path) -> dict[str, set[str]]:
    """The hashes that tinyml may have left each file with. Raises UsageError where the project is not ours."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text("utf-8"))
        recorded = {str(name): {str(value)} for name, value in manifest["files"].items()}
        assert "tinyml" in manifest
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise UsageError(
            f"{directory} exists and is not a project written by tinyml",
            hint="choose another folder with --output, or remove this one",
        ) from None
    try:
        pending = json.loads((directory / _PENDING).read_text("utf-8"))
    except (OSError, ValueError):
        pending = {}
    for name, value in pending.items():
        recorded.setdefault(str(name), set()).add(str(value))
    return {name: accepted for name, accepted in recorded.items() if _stays_inside(name)}


def _stays_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _was_edited(path: Path, accepted: set[str]) -> bool:
    return path.is_file() and _hash(path.read_bytes()) not in accepted


def _differs(path: Path, wanted: str) -> bool:
    return not path.is_file() or _hash(path.read_bytes()) != wanted


def _hash(content: str | bytes) -> str:
    return hashlib.sha256(content.encode("utf-8") if isinstance(content, str) else content).hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(text.encode("utf-8"))
    temporary.replace(path)
