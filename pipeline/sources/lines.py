"""Files -> lines of bytes: plain or gzip (told by the first bytes), or ``-`` for standard input; lazily.

A line comes without its end (LF or CRLF) and is cut at ``MAX_LINE_BYTES``, one more than a hit may have, so
that a longer one is still seen as too large. Memory: one block and one line. A UTF-8 byte order mark is taken
off. Errors: :class:`SourceError` for a file that cannot be opened, is UTF-16 or packed in another way, or whose
gzip data end early or are broken; the lines before the damage come first. Of many lines at once no Python
objects are made: :func:`read_blocks`.
"""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from pipeline.core.packed import Packed
from pipeline.core.parting import lines_of
from pipeline.sources.errors import SourceError
from schemas.hit import MAX_HIT_BYTES

STDIN = "-"
MAX_LINE_BYTES = MAX_HIT_BYTES + 1
BLOCK_BYTES = 1 << 17  # stays in the processor's cache
MAX_INFLATED_BYTES = 1 << 20  # of one step, so that a gzip bomb fills no memory

_GZIP = b"\x1f\x8b"
_OTHERS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\0": "xz",
    **{b"BZh%d1AY&SY" % level: "bzip2" for level in range(1, 10)},
    b"PK\x03\x04": "a zip archive",
}
_LONGEST = max(map(len, _OTHERS))
_GZIP_WINDOW = zlib.MAX_WBITS | 16

OnBytes = Callable[[int], object]


def check_readable(paths: Iterable[str]) -> None:
    """Before the first is read: :class:`SourceError` for one that cannot be. A pipe is left alone: it would end."""
    for path in paths:
        try:
            if path != STDIN and not Path(path).is_fifo():
                _open(path).close()
        except OSError as error:
            raise _unreadable(path, error) from error


def total_bytes(paths: list[str]) -> int | None:
    """What ``on_bytes`` will have been told in all; None when standard input is among the files."""
    if STDIN in paths:
        return None
    try:
        return sum(Path(path).stat().st_size for path in paths)
    except OSError as error:
        raise _unreadable(str(error.filename), error) from error


def read_lines(path: str, on_bytes: OnBytes | None = None) -> Iterator[bytes]:
    """The lines of ``path``; ``on_bytes`` is told how many of its bytes, as stored, were read."""
    return chain.from_iterable(read_blocks(path, on_bytes))


def read_blocks(path: str, on_bytes: OnBytes | None = None) -> Iterator[Packed]:
    """The same, those of a block together."""
    carry, skipping = b"", False  # skipping: the rest of a line that was already cut and given out
    for block in _blocks(path, on_bytes):
        text = carry + block
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        end = text.rfind(b"\n") + 1
        carry = text[end:]
        if skipping and end:
            text = text[text.index(b"\n") + 1 :]
            skipping = False
        if end:
            yield Packed([lines_of(text, MAX_LINE_BYTES)])
        if skipping:
            carry = b""
        elif len(carry) > MAX_LINE_BYTES + 1:  # one more: it may be the CR of a line's end
            yield _single(carry)
            carry, skipping = b"", True
    if carry and not skipping:
        yield _single(carry.removesuffix(b"\r"))


def _single(line: bytes) -> Packed:
    return Packed([lines_of(line + b"\n", MAX_LINE_BYTES)])


def _blocks(path: str, on_bytes: OnBytes | None) -> Iterator[bytes]:
    try:
        with _open(path) as file:
            first = file.read(BLOCK_BYTES)
            stored = _stored(file, first, on_bytes)
            blocks = _inflated(path, stored) if first.startswith(_GZIP) else stored
            yield from _text(path, blocks)
    except OSError as error:
        raise _unreadable(path, error) from error


def _open(path: str) -> BinaryIO:
    if path == STDIN:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    return open(path, "rb")


def _unreadable(path: str, error: OSError) -> SourceError:
    return SourceError(f"cannot be read: {error.strerror or error}", path)


def _stored(file: BinaryIO, block: bytes, on_bytes: OnBytes | None) -> Iterator[bytes]:
    while block:
        if on_bytes:
            on_bytes(len(block))
        yield block
        block = file.read(BLOCK_BYTES)


def _inflated(path: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """All members of a gzip file, one after the other; zeros after the last one are padding."""
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        for block in blocks:
            while block:
                if inflate.eof:
                    block = block.lstrip(b"\0")
                    if not block:
                        break
                    inflate = zlib.decompressobj(_GZIP_WINDOW)
                yield inflate.decompress(block, MAX_INFLATED_BYTES)
                block = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        while not inflate.eof and (rest := inflate.decompress(b"", MAX_INFLATED_BYTES)):
            yield rest
    except zlib.error as error:
        raise SourceError(f"broken gzip data ({error})", path) from error
    if not inflate.eof:
        raise SourceError("the gzip data end early: the file was cut", path)


def _text(path: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    for block in blocks:
        head += block
        if len(head) >= _LONGEST:
            break
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError("the text is UTF-16; only UTF-8 is read: convert it first (iconv -t UTF-8)", path)
    for mark, name in _OTHERS.items():
        if head.startswith(mark):
            raise SourceError(f"this is {name}; of packed files only gzip is read: unpack it first", path)
    yield head.removeprefix(b"\xef\xbb\xbf")
    yield from blocks
