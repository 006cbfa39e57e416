"""Files -> lines: gzip, line ends, limits, damage."""

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import lines as lines_module
from pipeline.sources.errors import SourceError
from pipeline.sources.lines import MAX_LINE_BYTES, check_readable, read_lines, total_bytes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hits.ndjson"


def read(file: Path, content: bytes) -> list[bytes]:
    file.write_bytes(content)
    return list(read_lines(str(file)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\r\nb\r", [b"a", b"b"]),
        (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
        (b"a\n\xff\xfe\n", [b"a", b"\xff\xfe"]),
    ],
)
def test_line_ends(file: Path, content: bytes, expected: list[bytes]) -> None:
    assert read(file, content) == expected


def test_gzip_is_told_by_its_bytes_and_may_have_several_members(file: Path) -> None:
    packed = gzip.compress(b"a\nb") + gzip.compress(b"c\nd\n") + b"\0\0\0"
    assert read(file, packed) == [b"a", b"bc", b"d"]


@pytest.mark.parametrize(
    "length", [MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 5 * MAX_LINE_BYTES]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_long_line_is_cut_and_the_next_one_is_whole(file: Path, length: int, end: bytes) -> None:
    long, *rest = read(file, b"x" * length + end + b"next" + end)
    assert len(long) == min(length, MAX_LINE_BYTES)
    assert rest == [b"next"]


@given(
    content=st.binary(max_size=400).map(
        lambda raw: raw.translate(bytes(b"a\r\nb\0 "[n % 6] for n in range(256)))
    )
)
def test_any_blocks_give_the_same_lines(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("blocks") / "lines"
    file.write_bytes(content)
    whole = list(read_lines(str(file)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK_BYTES", 3)
        assert list(read_lines(str(file))) == whole
        patch.setattr(lines_module, "MAX_INFLATED_BYTES", 2)
        file.write_bytes(gzip.compress(content))
        assert list(read_lines(str(file))) == whole
    *complete, last = content.replace(b"\r\n", b"\n").split(b"\n")
    assert whole == complete + ([last.removesuffix(b"\r")] if last else [])


def test_a_line_without_end_does_not_fill_the_memory(file: Path) -> None:
    file.write_bytes(b"x" * 4_000_000)
    told: list[int] = []
    lines = read_lines(str(file), told.append)
    assert len(next(lines)) == MAX_LINE_BYTES
    assert sum(told) == lines_module.BLOCK_BYTES
    assert list(lines) == []


def test_cut_gzip_gives_what_it_has_and_then_an_error(file: Path) -> None:
    file.write_bytes(gzip.compress(b"".join(b"%d\n" % (n * n) for n in range(100_000)))[:-9])
    seen: list[bytes] = []
    with pytest.raises(SourceError, match=r"hits\.ndjson: the gzip data end early"):
        seen.extend(read_lines(str(file)))
    assert len(seen) > 90_000


def test_broken_gzip(file: Path) -> None:
    with pytest.raises(SourceError, match="broken gzip data"):
        read(file, gzip.compress(b"a\n" * 9)[:10] + b"\xff" * 40)


def test_utf_16_is_named(file: Path) -> None:
    with pytest.raises(SourceError, match="UTF-16"):
        read(file, "a\n".encode("utf-16"))


@pytest.mark.parametrize(
    ("packed", "name"),
    [
        (lzma.compress(b"{}\n"), "xz"),
        (bz2.compress(b"{}\n"), "bzip2"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"PK\x03\x04\x14\x00", "a zip archive"),
    ],
)
def test_files_packed_in_another_way_are_named(file: Path, packed: bytes, name: str) -> None:
    for content in (packed, gzip.compress(packed)):
        with pytest.raises(SourceError, match=f"this is {name}; of packed files only gzip is read"):
            read(file, content)
    assert read(file, b"x" + packed)[0].startswith(b"x")


def test_all_files_are_looked_at_before_the_first_is_read(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"{}")
    check_readable([str(file), "-"])
    for other in (tmp_path / "none", tmp_path):
        with pytest.raises(SourceError, match=f"{other.name}: cannot be read"):
            check_readable([str(file), str(other)])


def test_a_pipe_is_not_ended_by_looking_at_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_readable([str(tmp_path / "pipe")])  # opening it would wait for a writer for ever


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.csv: cannot be read: No such file"):
        list(read_lines(str(tmp_path / "none.csv")))
    with pytest.raises(SourceError, match=r"none\.csv: cannot be read"):
        total_bytes([str(tmp_path / "none.csv")])


def test_progress_counts_the_bytes_as_stored(file: Path) -> None:
    file.write_bytes(gzip.compress(b"x\n" * 500_000))
    told: list[int] = []
    assert sum(1 for _ in read_lines(str(file), told.append)) == 500_000
    assert sum(told) == file.stat().st_size == total_bytes([str(file)])


def test_the_size_of_standard_input_is_not_known(file: Path) -> None:
    file.write_bytes(b"x")
    assert total_bytes([str(file), "-"]) is None
