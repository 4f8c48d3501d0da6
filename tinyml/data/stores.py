"""Where a data set's files come from: a folder, a tar archive or the packed form of a set of clips."""

from __future__ import annotations

import itertools
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from tinyml.data.audio import decode_wav, resample
from tinyml.data.base import CorruptSampleError, require_folder
from tinyml.errors import UsageError

DAMAGED_NPZ = (
    ValueError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
"""What NumPy raises for an ``.npz`` that is damaged or none."""

DAMAGED_TAR = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError)
"""What the standard library raises for a tar archive that is damaged or none."""


class FileStore(Protocol):
    """Files by their path within the data set, with ``/`` between the parts."""

    @property
    def names(self) -> tuple[str, ...]:
        """All file names, sorted."""

    def read(self, name: str) -> bytes:
        """The bytes of a file; CorruptSampleError where it cannot be read."""


class ClipStore(Protocol):
    """Clips by their path within the data set, and the small text files that lie beside them."""

    @property
    def names(self) -> tuple[str, ...]:
        """All clip names, sorted."""

    @property
    def texts(self) -> Mapping[str, str]:
        """The text files of the top folder by name."""

    def clip(self, name: str, rate_hz: int) -> NDArray[np.int16]:
        """int16 samples at ``rate_hz``; CorruptSampleError where the clip cannot be decoded."""


@dataclass(frozen=True)
class FolderFiles:
    """The files below a folder whose names end in one of ``suffixes`` (lower case)."""

    root: Path
    suffixes: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def scan(cls, root: Path, suffixes: tuple[str, ...]) -> FolderFiles:
        """List a folder once; hidden files and folders are left out."""
        found = []
        for path in root.rglob("*"):
            relative = path.relative_to(root)
            if path.suffix.lower() in suffixes and not any(part.startswith(".") for part in relative.parts):
                found.append(relative.as_posix())
        return cls(root, suffixes, tuple(sorted(found)))

    def read(self, name: str) -> bytes:
        """The bytes of a file; CorruptSampleError where it cannot be read."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise CorruptSampleError(f"cannot be read ({error.strerror})") from None


@dataclass(frozen=True, eq=False)
class TarFiles:
    """The files of a tar archive, held in memory, since a compressed archive has no random access."""

    contents: Mapping[str, bytes]

    @classmethod
    def load(cls, path: Path, suffixes: tuple[str, ...]) -> TarFiles:
        """Read the archive's files with one of ``suffixes``; UsageError where it is damaged."""
        contents = {}
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    file = archive.extractfile(member) if member.isfile() else None
                    if file is not None and Path(member.name).suffix.lower() in suffixes:
                        contents[member.name.removeprefix("./")] = file.read()
        except DAMAGED_TAR as error:
            raise UsageError(f"cannot read the archive {path}: {error}", hint="get it again") from None
        return cls(contents)

    @property
    def names(self) -> tuple[str, ...]:
        """All file names, sorted."""
        return tuple(sorted(self.contents))

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return self.contents[name]


def first_names(archive: Path, limit: int = 2_000) -> tuple[str, ...]:
    """The names of an archive's first members, read no further than needed; none where it is damaged."""
    try:
        with tarfile.open(archive) as opened:
            return tuple(member.name for member in itertools.islice(opened, limit))
    except DAMAGED_TAR:
        return ()


@dataclass(frozen=True)
class FolderClips:
    """WAV files in folders, with the text files of the top folder."""

    files: FolderFiles

    @classmethod
    def scan(cls, root: Path) -> FolderClips:
        """List a folder's WAV files once."""
        return cls(FolderFiles.scan(root, (".wav",)))

    @property
    def names(self) -> tuple[str, ...]:
        """All clip names, sorted."""
        return self.files.names

    @property
    def texts(self) -> Mapping[str, str]:
        """The text files of the top folder by name."""
        paths = sorted(self.files.root.glob("*.txt"))
        return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()}

    def clip(self, name: str, rate_hz: int) -> NDArray[np.int16]:
        """int16 samples at ``rate_hz``; CorruptSampleError where the clip cannot be decoded."""
        own_hz, samples = decode_wav(self.files.read(name))
        return resample(samples, own_hz, rate_hz)


@dataclass(frozen=True, eq=False)
class PackedClips:
    """Clips packed in one ``.npz``: ``names``, ``lengths``, ``rate``, ``blob``; ``extra_names`` with ``extra_texts``.

    The blob is xz-compressed: all high bytes, then all low bytes, of the zig-zag coded first differences of the
    samples, each clip starting from its first sample modulo 2**16.
    """

    rate_hz: int
    samples: NDArray[np.int16]
    spans: Mapping[str, tuple[int, int]]
    texts: Mapping[str, str]

    @classmethod
    def load(cls, path: Path) -> PackedClips:
        """Unpack a file of that form; UsageError where it is damaged or of another form."""
        try:
            with open_npz(path) as packed:
                raw = np.frombuffer(lzma.decompress(packed["blob"].tobytes()), dtype=np.uint8)
                names = [str(name) for name in packed["names"]]
                lengths = packed["lengths"].astype(np.int64)
                rate_hz = int(packed["rate"])
                keys = packed["extra_names"] if "extra_names" in packed.files else ()
                values = packed["extra_texts"] if "extra_texts" in packed.files else ()
                texts = {str(key): str(value) for key, value in zip(keys, values, strict=True)}
        except (KeyError, lzma.LZMAError, *DAMAGED_NPZ) as error:
            raise UsageError(f"cannot read the packed clips {path}: {error}", hint="get the file again") from None
        total = raw.size // 2
        if len(names) != len(lengths) or (lengths < 0).any() or int(lengths.sum()) != total:
            raise UsageError(f"the packed clips {path} hold {total} samples, their lengths add up to {lengths.sum()}")
        coded = (raw[:total].astype(np.uint16) << 8) | raw[total:]
        differences = ((coded >> 1).astype(np.int32) ^ -(coded & 1).astype(np.int32)).astype(np.int16)
        ends = np.cumsum(lengths)
        spans = {name: (int(end - length), int(end)) for name, length, end in zip(names, lengths, ends, strict=True)}
        return cls(rate_hz, differences, spans, texts)

    @property
    def names(self) -> tuple[str, ...]:
        """All clip names, sorted."""
        return tuple(sorted(self.spans))

    def clip(self, name: str, rate_hz: int) -> NDArray[np.int16]:
        """int16 samples at ``rate_hz``; CorruptSampleError for a clip without samples."""
        start, end = self.spans[name]
        if start == end:
            raise CorruptSampleError("has no samples")
        return resample(np.cumsum(self.samples[start:end], dtype=np.int16), self.rate_hz, rate_hz)


def open_clips(path: Path) -> ClipStore:
    """Clips of a folder of WAV files, of a packed ``.npz``, or of a folder that holds one packed ``.npz``."""
    if path.is_file():
        return PackedClips.load(path)
    require_folder(path)
    packed = packed_clips(path)
    return FolderClips.scan(path) if packed is None else PackedClips.load(packed)


def packed_clips(folder: Path) -> Path | None:
    """The packed clips of a folder (not those of the silence test clips), or None."""
    for path in sorted(folder.glob("*.npz")):
        if path.name != SILENCE_PACK and has_arrays(path, ("names", "lengths", "rate", "blob")):
            return path
    return None


SILENCE_PACK = "test_silence.npz"


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """An ``.npz`` opened without pickles; the file is closed also where it is damaged. Raises one of DAMAGED_NPZ."""
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if not isinstance(loaded, NpzFile):
            raise ValueError("it holds no named arrays")
        with loaded:
            yield loaded


def has_arrays(path: Path, wanted: tuple[str, ...]) -> bool:
    """Whether a file is an ``.npz`` with all these arrays; its contents are not unpacked."""
    try:
        with open_npz(path) as packed:
            return set(wanted) <= set(packed.files)
    except DAMAGED_NPZ:
        return False
