"""Class names that a ``.tflite`` file carries: a text file in the zip archive that TFLite Metadata appends to it."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

MAX_LABEL_FILE_BYTES = 1 << 20
MAX_LABEL_CHARACTERS = 200

_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError, KeyError, struct.error)


def read_labels(data: bytes, count: int) -> tuple[str, ...]:
    """The ``count`` labels of the model in ``data``, empty where it has no list of that length.

    Of several text files, one with ``label`` in its name comes first. Names are stripped and cut; a broken archive
    counts as none, because labels are a comfort and not part of the network.
    """
    if count < 1 or b"PK\x05\x06" not in data[-(1 << 16) :]:
        return ()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [i for i in archive.infolist() if i.filename.endswith(".txt")][:16]
            for info in sorted(files, key=lambda i: "label" not in i.filename.lower()):
                if info.file_size > MAX_LABEL_FILE_BYTES:
                    continue
                with archive.open(info) as stream:
                    content = stream.read(MAX_LABEL_FILE_BYTES)
                lines = (line.strip() for line in content.decode("utf-8", "replace").splitlines())
                labels = tuple(line[:MAX_LABEL_CHARACTERS] for line in lines if line)
                if len(labels) == count:
                    return labels
    except _BROKEN_ZIP:
        return ()
    return ()
