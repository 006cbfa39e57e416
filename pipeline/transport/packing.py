"""What the rows of the file of the topics hold: msgpack, compressed by zstd, after its length."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa


class Payload(msgspec.Struct, array_like=True):
    """What a row of ``batches`` holds."""

    values: Sequence[bytes]
    timestamps: list[int]


Change = tuple[str, bytes | None]
_CODEC = pa.Codec("zstd", compression_level=1)  # a ninth of the bytes, for less time than writing them takes
_LENGTH_BYTES = 4
_pack = msgspec.msgpack.Encoder().encode
_unpack_payload = msgspec.msgpack.Decoder(tuple[list[bytes], list[int]]).decode
_unpack_changes = msgspec.msgpack.Decoder(list[tuple[str, bytes | None]]).decode


def encode(content: Payload | Sequence[Change]) -> bytes:
    """A blob of a row: msgpack, compressed, after its length."""
    return compressed(_pack(content))


def compressed(packed: bytes) -> bytes:
    """A blob of a row whose msgpack is there already."""
    content: bytes = _CODEC.compress(packed, asbytes=True)
    return len(packed).to_bytes(_LENGTH_BYTES, "little") + content


def packed_bytes(blob: bytes) -> int:
    """How many the msgpack in it has."""
    return int.from_bytes(blob[:_LENGTH_BYTES], "little")


def decode_payload(blob: bytes) -> Payload:
    """The blob of a row of ``batches``."""
    return Payload(*_unpack_payload(_inflated(blob)))


def decode_changes(blob: bytes) -> list[Change]:
    """The blob of a row of ``changelogs``."""
    return _unpack_changes(_inflated(blob))


def _inflated(blob: bytes) -> memoryview:
    packed = memoryview(blob)[_LENGTH_BYTES:]
    return memoryview(_CODEC.decompress(packed, decompressed_size=packed_bytes(blob)))
