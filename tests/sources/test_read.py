"""NDJSON passes through untouched; formats are told by name and first line."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import SourceError, read_hits, read_options

from .conftest import Reader


def test_ndjson_is_untouched_and_blank_lines_are_nothing(read: Reader) -> None:
    lines = [b'{ "site":"s" }', b"not json", b"", b"  ", b"\xff\x00", b"[1,2]", b'{"a":1}{"b":2}']
    assert read(b"\n".join(lines), "x.ndjson") == [line for line in lines if line.strip()]


@given(content=st.binary(max_size=300))
def test_any_bytes_are_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "x.ndjson"
    file.write_bytes(b"{}\n" + content)
    found = list(read_hits(str(file), read_options()))
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    lines[-1] = lines[-1].removesuffix(b"\r")
    assert found == [b"{}", *(line for line in lines if line.strip())]


@pytest.mark.parametrize(
    ("name", "content", "maps", "expected"),
    [
        ("x.csv", b"who\n{}\n", ["visitor_id=who"], b'"visitor_id":"{}"'),
        ("x.TSV.GZ", b"who\tn\nann\t1\n", ["visitor_id=who"], b'"visitor_id":"ann"'),
        ("x", b"who,n\nann,1\n", ["visitor_id=who"], b'"visitor_id":"ann"'),
        ("x.jsonl", b'{"who":1}\n', [], b'{"who":1}'),
        ("x", b'{"who":1}\n', [], b'{"who":1}'),
        ("x.json", b'{"event":"e","time":1,"status":"200","method":"GET"}\n', [], b'"event":"e"'),
    ],
)
def test_the_format_is_told(
    read: Reader, name: str, content: bytes, maps: list[str], expected: bytes
) -> None:
    sets = ["site=s", "event=e"] if maps else []
    [raw] = read(content, name, maps=maps, sets=sets)
    assert expected in raw


def test_the_format_given_holds(read: Reader) -> None:
    assert read(b"who,n\nann,1\n", "x.csv", format="ndjson") == [b"who,n", b"ann,1"]


@pytest.mark.parametrize("name", ["access.json", "access.json.gz", "access.log"])
def test_json_lines_of_an_access_log_are_told_by_the_first(read: Reader, name: str) -> None:
    line = b'{"time_iso8601":"2026-11-22T10:00:05Z","request":"GET /a HTTP/1.1","status":"200"}\n'
    [raw] = read(line, name, site="www.example.com")
    assert b'"page_view"' in raw
    assert read(line, name, format="ndjson") == [line.strip()]


@pytest.mark.parametrize(
    "options", [{"site": "shop"}, {"sets": ["event=e"]}, {"maps": ["visitor_id=who"]}], ids=str
)
def test_what_would_do_nothing_to_ndjson_is_refused(read: Reader, options: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"hits\.ndjson: is read as NDJSON, and .* name all their fields"):
        read(b'{"site":"s"}\n', "hits.ndjson", **options)


def test_an_empty_file_has_no_hits(read: Reader) -> None:
    assert read(b"", "x.csv", maps=["visitor_id=who"], sets=["site=s", "event=e"]) == []


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_bytes(b"{}\n{}\n")
    with file.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert list(read_hits("-", read_options())) == [b"{}", b"{}"]
