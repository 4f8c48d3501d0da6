"""Gets public data sets: resumes where an earlier run stopped, checks checksums, unpacks nothing outside its folder."""

from __future__ import annotations

import hashlib
import http.client
import lzma
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tinyml.data.catalog import RemoteDataset, RemoteFile
from tinyml.errors import UsageError

CHUNK_BYTES = 1 << 18
TIMEOUT_S = 30.0
MAX_UNPACKED_BYTES = 16 << 30

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the bytes done and the bytes in all (0 where unknown)."""


def get_dataset(dataset: RemoteDataset, output: Path, progress: Progress | None = None) -> Path:
    """Download, check and unpack a data set into ``output``; the folder that ``--data`` takes.

    What is complete already is not fetched or unpacked again. UsageError with what to do where the network, the
    server, a checksum or an archive fails; partial downloads stay beside as ``NAME.part`` and are resumed next time.
    """
    report = progress or (lambda what, done, total: None)
    output.mkdir(parents=True, exist_ok=True)
    for file in dataset.files:
        mark = output / f".{file.file_name}.done"
        if file.unpack and mark.is_file():
            continue
        path = fetch(file, output, report)
        if file.unpack:
            unpack(path, output, report)
            mark.touch()
            path.unlink()
    return output / dataset.folder


def fetch(file: RemoteFile, output: Path, progress: Progress) -> Path:
    """Download one file, resuming ``NAME.part``, and check it; its path. A file that is there and whole is kept.

    Raises UsageError where the transfer breaks off or the checksum is wrong.
    """
    path = output / file.file_name
    part = output / f"{file.file_name}.part"
    if path.is_file() and _is_whole(path, file):
        return path
    try:
        _download(file, part, progress)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        have = part.stat().st_size if part.is_file() else 0
        reason = getattr(error, "reason", None) or error
        raise UsageError(
            f"cannot get {file.url} ({reason}); {have:,} bytes are kept",
            hint="run the same command again to go on where it stopped, or get the data set by hand and use --data DIR",
        ) from None
    if not _is_whole(part, file):
        actual = part.stat().st_size
        part.unlink()
        expected = file.checksum or f"{file.size_bytes:,} bytes"
        raise UsageError(
            f"{file.file_name} is damaged: the {actual:,} bytes that came are not those published ({expected})",
            hint="it was deleted; run the same command again",
        )
    part.replace(path)
    return path


def _download(file: RemoteFile, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.is_file() else 0
    if file.size_bytes and have > file.size_bytes:
        part.unlink()
        have = 0
    if file.size_bytes and have == file.size_bytes:
        return
    request = urllib.request.Request(file.url, headers={"User-Agent": "tinyml"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = int(response.headers.get("Content-Length") or 0)
        total = file.size_bytes or (have + length if length else 0)
        with part.open("ab" if have else "wb") as target:
            while chunk := response.read(CHUNK_BYTES):
                target.write(chunk)
                have += len(chunk)
                progress(f"getting {file.file_name}", have, total)
    if total and have < total:
        raise ConnectionError(f"the connection ended {total - have:,} bytes early")


def _is_whole(path: Path, file: RemoteFile) -> bool:
    """Whether size and checksum are those published; a file with neither is taken as it is."""
    if file.size_bytes and path.stat().st_size != file.size_bytes:
        return False
    if not file.checksum:
        return True
    algorithm, _, expected = file.checksum.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == expected


def unpack(archive: Path, output: Path, progress: Progress) -> None:
    """Unpack a ``.tar.*`` or ``.zip`` below ``output``; plain files and folders only.

    UsageError, before anything of it is written, for a member that would land outside, a link or a device, more than
    16 GiB, or a damaged archive.
    """
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, output, progress)
        else:
            _unpack_tar(archive, output, progress)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError) as error:
        raise UsageError(
            f"cannot unpack {archive.name}: {error}", hint="delete the file and run the same command again"
        ) from None


def _check_members(archive: Path, members: list[tuple[str, int]]) -> None:
    for name, _ in members:
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or (place.parts and ":" in place.parts[0]):
            raise UsageError(f"{archive.name} would write outside its folder: {name!r}", hint="do not use this file")
    total = sum(size for _, size in members)
    if total > MAX_UNPACKED_BYTES:
        raise UsageError(f"{archive.name} would unpack to {total:,} bytes, more than {MAX_UNPACKED_BYTES:,}")


def _unpack_tar(archive: Path, output: Path, progress: Progress) -> None:
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
        _check_members(archive, [(member.name, member.size) for member in members])
        for member in members:
            if not (member.isfile() or member.isdir()):
                raise tarfile.ExtractError(f"{member.name!r} is a link or a device")
        for index, member in enumerate(members):
            _write_member(opened, member, output / member.name)
            if index % 256 == 255 or index + 1 == len(members):
                progress(f"unpacking {archive.name}", index + 1, len(members))


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Writes a file or makes a folder as any new one is (``extract`` has no ``filter`` before Python 3.11.4)."""
    source = archive.extractfile(member)
    if source is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as written:
        shutil.copyfileobj(source, written)


def _unpack_zip(archive: Path, output: Path, progress: Progress) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _check_members(archive, [(member.filename, member.file_size) for member in members])
        for index, member in enumerate(members):
            opened.extract(member, output)
            if index % 256 == 255 or index + 1 == len(members):
                progress(f"unpacking {archive.name}", index + 1, len(members))
