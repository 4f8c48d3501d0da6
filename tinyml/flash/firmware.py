"""Which firmware is meant: the last build of the working directory, a project's folder, or an ELF file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyml.errors import BoardError, UsageError
from tinyml.firmware.project import MANIFEST

BUILD_DIR = Path("build")


@dataclass(frozen=True, slots=True)
class Firmware:
    """A firmware to flash; ``board`` is None for an ELF file alone, ``project`` and what follows too."""

    elf: Path
    board: str | None = None
    project: Path | None = None
    environment: str | None = None
    model: str | None = None
    app: str | None = None


def find_firmware(what: str | None, board: str | None, build_dir: Path = BUILD_DIR) -> Firmware | None:
    """The firmware that ``what`` names: an ELF file, a project's folder, or None for the last build (of ``board``).

    Gives None where ``what`` is neither, as a model's name. Raises UsageError where there is no build or it is another
    board's, and BoardError where the build did not come to its end or the ELF is not the one that was built.
    """
    if what is None:
        return _project(_last_build(board, build_dir), board)
    path = Path(what)
    if path.is_dir() and _is_project(path):
        return _project(path, board)
    if path.is_file() and _is_elf(path):
        return Firmware(path)
    if path.suffix in (".elf", ".bin", ".hex", ".uf2"):
        problem = "is no ELF file" if path.is_file() else "does not exist"
        raise UsageError(
            f"{what} {problem}", hint="give the firmware's .elf, a project's folder, or nothing for the last build"
        )
    return None


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _last_build(board: str | None, build_dir: Path) -> Path:
    manifests = _builds(build_dir)
    if board is not None:
        name = Path(board).stem if board.endswith(".toml") else board
        manifests = [path for path in manifests if _manifest(path.parent).get("board") == name]
    if not manifests:
        wanted = "" if board is None else f" for {board}"
        raise UsageError(
            f"there is no build{wanted} in {build_dir}/",
            hint=f"`tinyml build MODEL --board {board or 'NAME'}` makes one; or give a project's folder or an ELF file",
        )
    return _newest(manifests)


def last_board(build_dir: Path = BUILD_DIR) -> str | None:
    """The board of the last build, whether it succeeded or not; None where there is none."""
    manifests = _builds(build_dir)
    return str(_manifest(_newest(manifests)).get("board")) if manifests else None


def _builds(build_dir: Path) -> list[Path]:
    return [path for path in build_dir.glob(f"*/{MANIFEST}") if _is_project(path.parent)]


def _newest(manifests: list[Path]) -> Path:
    return max(manifests, key=lambda path: path.stat().st_mtime).parent


def _is_project(folder: Path) -> bool:
    about = _manifest(folder).get("tinyml")
    return isinstance(about, dict) and "board" in about


def _manifest(project: Path) -> dict[str, Any]:
    try:
        content = json.loads((project / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _project(project: Path, board: str | None) -> Firmware:
    manifest = _manifest(project)
    built_for = manifest.get("board") or manifest.get("tinyml", {}).get("board")
    if manifest.get("framework") == "arduino":
        raise BoardError(
            f"{project} is for the Arduino core: PlatformIO builds and flashes it",
            hint=f"`pio run -d {project} -t upload`, then `tinyml monitor`",
        )
    result = manifest.get("result")
    if not isinstance(result, dict):
        raise BoardError(
            f"the last build of {project} did not succeed: nothing is flashed",
            hint="run `tinyml build` again; it says what is wrong",
        )
    wanted = None if board is None else Path(board).stem if board.endswith(".toml") else board
    if wanted is not None and wanted != built_for:
        raise UsageError(
            f"{project} was built for {built_for}, not for {wanted}", hint=f"`tinyml build MODEL --board {wanted}`"
        )
    elf = _elf(project, Path(str(result.get("elf", ""))))
    recorded = manifest.get("elf_sha256")
    if recorded is not None and recorded != hashlib.sha256(elf.read_bytes()).hexdigest():
        raise BoardError(
            f"{elf} is not the firmware that `tinyml build` made and proved",
            hint="run `tinyml build` again, or give the ELF file itself to flash it all the same",
        )
    return Firmware(elf, str(built_for), project, elf.parent.name, manifest.get("model"), manifest.get("app"))


def _elf(project: Path, recorded: Path) -> Path:
    """The ELF of the build, also where the project's folder was moved since."""
    inside = project.joinpath(*recorded.parts[-4:]) if len(recorded.parts) >= 4 else recorded
    for path in (inside, recorded):
        if path.is_file():
            return path
    raise BoardError(f"the firmware {inside} is gone", hint="run `tinyml build` again")
