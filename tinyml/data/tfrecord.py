"""TFRecord files and the ``tf.train.Example`` messages in them, without TensorFlow.

A file is one record after another: its length as uint64, the masked CRC-32C of these eight bytes, the data, the masked
CRC-32C of the data, all little-endian (TensorFlow's ``tensorflow/core/lib/io/record_writer.h``). Masking rotates a
checksum right by 15 bits and adds 0xa282ead8 (``tensorflow/core/lib/hash/crc32c.h``), so that checksums of data that
holds checksums stay sound.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyml.data.base import CorruptSampleError
from tinyml.errors import UsageError

Features = Mapping[str, bytes | tuple[int, ...]]
"""The features of an example: bytes, or a list of integers."""

HEAD_BYTES, TAIL_BYTES = 12, 4
OVERHEAD_BYTES = HEAD_BYTES + TAIL_BYTES
_MASK = 0xA282EAD8


def masked_crc(data: bytes) -> int:
    """The masked CRC-32C (Castagnoli) of ``data``; UsageError where the library is missing."""
    try:
        import google_crc32c
    except ImportError:
        raise UsageError("TFRecords need google-crc32c", hint="pip install 'tinyml[train]'") from None
    checksum = int(google_crc32c.value(data))
    return ((checksum >> 15 | checksum << 17) + _MASK) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """``data`` as one record of a file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def unframe(record: bytes) -> bytes:
    """The data of one whole record; CorruptSampleError where a length or a checksum is wrong."""
    if len(record) < OVERHEAD_BYTES:
        raise CorruptSampleError(f"the record has {len(record)} bytes, {OVERHEAD_BYTES} are the least")
    length, checksum = struct.unpack("<QI", record[:HEAD_BYTES])
    if checksum != masked_crc(record[:8]) or length != len(record) - OVERHEAD_BYTES:
        raise CorruptSampleError("the record's length is damaged")
    data = record[HEAD_BYTES:-TAIL_BYTES]
    if struct.unpack("<I", record[-TAIL_BYTES:])[0] != masked_crc(data):
        raise CorruptSampleError("the record's data do not agree with their checksum")
    return data


def read_record(path: Path, offset: int, size: int) -> bytes:
    """The data of the record of ``size`` bytes at ``offset`` of a file; CorruptSampleError where it is damaged."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            record = file.read(size)
    except OSError as error:
        raise CorruptSampleError(f"{path.name} cannot be read ({error.strerror})") from None
    if len(record) != size:
        raise CorruptSampleError(f"{path.name} ends after {len(record)} of the record's {size} bytes")
    return unframe(record)


def encode_example(features: Features) -> bytes:
    """A serialised ``tf.train.Example``; equal features give equal bytes."""
    example = _example_class()()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.int64_list.value.extend(value)
    return bytes(example.SerializeToString(deterministic=True))


def decode_example(data: bytes) -> dict[str, bytes | tuple[int, ...]]:
    """The features of a serialised ``tf.train.Example``: the first bytes of each, or its integers.

    Raises CorruptSampleError for bytes that are no such message. Lists of floats are left out.
    """
    from google.protobuf.message import DecodeError

    try:
        example = _example_class().FromString(data)
    except DecodeError as error:
        raise CorruptSampleError(f"no tf.train.Example ({error})") from None
    features: dict[str, bytes | tuple[int, ...]] = {}
    for name, feature in example.features.feature.items():
        if feature.bytes_list.value:
            features[name] = bytes(feature.bytes_list.value[0])
        elif feature.int64_list.value:
            features[name] = tuple(feature.int64_list.value)
    return features


@functools.cache
def _example_class() -> Any:
    """The message of TensorFlow's ``example.proto`` and ``feature.proto``, in a pool of its own beside TensorFlow's."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tinyml", syntax="proto3")

    def message(parent: Any, name: str, *fields: tuple[str, int, int, str, bool]) -> Any:
        made = parent.add(name=name)
        for title, number, kind, of, repeated in fields:
            label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            made.field.add(name=title, number=number, type=kind, type_name=of or None, label=label)
        return made

    text, whole = field.TYPE_STRING, field.TYPE_MESSAGE
    message(file.message_type, "BytesList", ("value", 1, field.TYPE_BYTES, "", True))
    message(file.message_type, "FloatList", ("value", 1, field.TYPE_FLOAT, "", True))
    message(file.message_type, "Int64List", ("value", 1, field.TYPE_INT64, "", True))
    lists = (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List"))
    feature = message(
        file.message_type,
        "Feature",
        *((name, number + 1, whole, f".tinyml.{kind}", False) for number, (name, kind) in enumerate(lists)),
    )
    feature.oneof_decl.add(name="kind")
    for item in feature.field:
        item.oneof_index = 0
    features = message(file.message_type, "Features", ("feature", 1, whole, ".tinyml.Features.FeatureEntry", True))
    entry = message(
        features.nested_type, "FeatureEntry", ("key", 1, text, "", False), ("value", 2, whole, ".tinyml.Feature", False)
    )
    entry.options.map_entry = True
    message(file.message_type, "Example", ("features", 1, whole, ".tinyml.Features", False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tinyml.Example"))
