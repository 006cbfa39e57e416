"""Tables -> hits: the mapping, the times, and rows that are none."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.decode import Flaw, decode
from pipeline.sources.errors import SourceError
from pipeline.sources.lines import MAX_LINE_BYTES
from pipeline.sources.table import split_rows
from schemas.outcome import Reason

from .conftest import Reader

SETS = ["site=shop", "event=page_view"]
WHO_WHEN = ["visitor_id=who", "time=when:s"]


def hit(raw: bytes) -> dict[str, Any]:
    return dict(json.loads(raw))


def flaw(raw: bytes) -> tuple[Reason, str]:
    """What the judge of hits says of it."""
    found = decode(raw)
    assert isinstance(found, Flaw)
    return found.reason, found.field


def test_a_row_becomes_a_hit(read: Reader) -> None:
    hits = read(b"who,when\nann,1389052815\n", "x.csv", maps=WHO_WHEN, sets=SETS)
    assert [hit(raw) for raw in hits] == [
        {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": 1_389_052_815_000}
    ]


@pytest.mark.parametrize(
    ("unit", "text", "ms"),
    [
        (":s", "1389052815", 1_389_052_815_000),
        (":s", "1389052815.25", 1_389_052_815_250),
        (":s", "1389052815.0009", 1_389_052_815_000),
        (":ms", "1389052815123", 1_389_052_815_123),
        (":us", "1389052815123999", 1_389_052_815_123),
        (":ns", "1389052815123999999", 1_389_052_815_123),
        ("", "1389052815123", 1_389_052_815_123),
        ("", "2014-01-07T00:00:15Z", "2014-01-07T00:00:15Z"),
        (":iso", "2014-01-07 00:00:15", 1_389_052_815_000),
        (":iso", "2014-01-07T01:00:15+01:00", 1_389_052_815_000),
        (":%d.%m.%Y %H:%M:%S", "07.01.2014 00:00:15", 1_389_052_815_000),
        (":%d.%m.%Y %H:%M:%S %z", "07.01.2014 03:30:15 +0330", 1_389_052_815_000),
    ],
)
def test_times(read: Reader, unit: str, text: str, ms: int | str) -> None:
    maps = ["visitor_id=who", f"time=when{unit}"]
    [raw] = read(f"who;when\nann;{text}\n".encode(), "x.csv", maps=maps, sets=SETS)
    assert hit(raw)["time"] == ms


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (b"ann", b"row of 1 columns, not 2: "),
        (b"5", b"row of 1 columns, not 2: "),
        (b"ann,1,2", b"row of 3 columns, not 2: "),
        (b'"ann,1389052815', b"row with broken quotes, or not UTF-8: "),
        (b'"ann"x,1389052815', b"row with broken quotes, or not UTF-8: "),
        (b"\xff\xfe,1389052815", b"row with broken quotes, or not UTF-8: "),
    ],
)
def test_a_bad_row_says_what_is_wrong_with_it_and_the_others_are_read(
    read: Reader, row: bytes, fault: bytes
) -> None:
    content = b"who,when\nbob,1\n" + row + b"\neve,2\ndan,3\n"
    first, bad, *others = read(content, "x.csv", maps=WHO_WHEN, sets=SETS)
    assert bad == fault + row
    judged = decode(bad)
    assert judged == Flaw(Reason.NOT_JSON, "", fault.decode().removesuffix(": ")), (
        "JSON is no affair of a table"
    )
    assert [hit(raw)["visitor_id"] for raw in (first, *others)] == ["bob", "eve", "dan"]


def test_a_row_that_is_too_long_is_said_to_be(read: Reader) -> None:
    (bad,) = read(b"who,when\n" + b"," * 70_000, "x.csv", maps=WHO_WHEN, sets=SETS)
    assert flaw(bad) == (Reason.TOO_LARGE, "")
    assert len(bad) < MAX_LINE_BYTES + 100


@pytest.mark.parametrize("text", ["yesterday", "1e9", "-5", "9" * 18])
def test_a_time_that_is_none_is_named(read: Reader, text: str) -> None:
    first, bad = read(f"who,when\nbob,1\nann,{text}\n".encode(), "x.csv", maps=WHO_WHEN, sets=SETS)
    assert hit(first)["visitor_id"] == "bob"
    assert flaw(bad) == (Reason.BAD_VALUE, "time")


def test_a_quote_that_closes_after_64_kib_swallows_nothing(read: Reader) -> None:
    rows = [b"bob,1"] * 20_000
    hits = read(b"\n".join([b"who,when", b'"ann,1', *rows, b'eve",2']), "x.csv", maps=WHO_WHEN, sets=SETS)
    assert hits[0].endswith(b': "ann,1')
    assert len(hits) == len(rows) + 2


@pytest.mark.parametrize("number", ["nan", "inf", "12,5", "free"])
def test_a_number_that_is_none(read: Reader, number: str) -> None:
    content = f"who;price\nann;{number}\nbob;12.5\nlea;\n".encode()
    bad, good, absent = read(content, "x.csv", maps=["visitor_id=who", "revenue=price"], sets=SETS)
    assert flaw(bad) == (Reason.WRONG_TYPE, "revenue")
    assert hit(good)["revenue"] == 12.5
    assert "revenue" not in hit(absent)


def test_values_templates_props_and_campaign(read: Reader, tmp_path: Any) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        """
        [set]
        site = "shop"
        "props.source" = "import"
        [map]
        user_id = "who"
        event = "what"
        url = "https://shop.example/{what}/100%/{n}"
        "props.n.x" = "n"
        "campaign.name" = "c"
        [values.event]
        home = "page_view"
        """
    )
    content = b"who,what,n,c\nann,home,1,\nbob,login,,spring\n"
    first, second = read(content, "x.csv", maps=[str(mapping)])
    assert hit(first) == {
        "site": "shop",
        "user_id": "ann",
        "event": "page_view",
        "url": "https://shop.example/home/100%/1",
        "props": {"source": "import", "n.x": "1"},
    }
    assert hit(second)["event"] == "login"
    assert hit(second)["props"] == {"source": "import"}
    assert hit(second)["campaign"] == {"name": "spring"}


def test_tabs_are_not_quoted(read: Reader) -> None:
    [raw] = read(b'who\twhen\n"a,n"n\t1\n', "x.tsv", maps=WHO_WHEN, sets=SETS)
    assert hit(raw)["visitor_id"] == '"a,n"n'


def test_a_later_file_and_a_later_option_win(read: Reader, tmp_path: Any) -> None:
    first, second = tmp_path / "1.toml", tmp_path / "2.toml"
    first.write_text('delimiter = "|"\nquote = "\'"\nset.site = "a"\nset.event = "e"\nmap.user_id = "who"')
    second.write_text('delimiter = ","\nset.site = "b"')
    [raw] = read(
        b"who|a|b,'n'\n'x',1\n", "x.csv", maps=[str(first), str(second), "user_id=n"], sets=["event=f"]
    )
    assert hit(raw) == {"site": "b", "event": "f", "user_id": "1"}


def test_a_table_without_a_header(read: Reader, tmp_path: Any) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text('columns = ["who", "when"]\ndelimiter = "|"')
    hits = read(b"ann|1\nbob|2\n", "x.csv", maps=[str(mapping), *WHO_WHEN], sets=SETS)
    assert [hit(raw)["visitor_id"] for raw in hits] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maps": ["visitor_id=nobody"]}, r"x\.csv:1: no column 'nobody'; there are: who, when"),
        ({"maps": ["visitorid=who"]}, "unknown field 'visitorid'; allowed: site, event, visitor_id"),
        ({"maps": ["items=who"]}, "unknown field 'items'"),
        ({"maps": ["campaign.colour=who"]}, "unknown field 'campaign.colour'.*campaign.source"),
        ({"maps": ["visitor_id="]}, "a column is expected"),
        (
            {"maps": ["time=when:weeks", "visitor_id=who"]},
            "unknown unit of time 'weeks'; allowed: s, ms, us, ns, iso",
        ),
        ({"maps": ["time=when:%Q", "visitor_id=who"]}, "'%Q' is not a usable time format"),
        ({"maps": ["none.toml"]}, r"none\.toml: cannot be read: .*FIELD=COLUMN or a TOML file"),
        ({"maps": ["visitor_id=who"], "sets": ["event"]}, "--set event: FIELD=VALUE is expected"),
        ({"maps": ["visitor_id=who"], "sets": ["revenue=much"]}, "--set revenue=much: a number is expected"),
        (
            {"maps": WHO_WHEN, "site": "www example"},
            "value of site for every hit: Expected `str` matching regex",
        ),
        (
            {"maps": WHO_WHEN, "sets": [*SETS, "user_id=" + 200 * "u"]},
            "value of user_id for every hit: .*128",
        ),
        ({"maps": WHO_WHEN, "sets": [*SETS, "time=now"]}, "value of time for every hit: Invalid RFC3339"),
        ({"format": "access-log", "site": "https://www.example"}, "value of site for every hit"),
        ({"maps": ["time=when:s"], "sets": SETS}, r"no value for visitor_id \(or user_id\)"),
        ({"maps": ["visitor_id=who"], "sets": []}, "no value for site, event"),
        ({"format": "xml"}, "unknown format 'xml'; allowed: ndjson, csv, access-log"),
        ({"format": "ndjson", "site": "shop"}, "NDJSON hits name all their fields"),
        ({"format": "access-log", "maps": ["visitor_id=who"]}, "--map is for csv"),
    ],
)
def test_wrong_options_are_explained(read: Reader, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(b"who,when\nann,1\n", "x.csv", **({"sets": SETS} | options))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[map]\nsite = ", "at line 2, column 8|at end of document"),
        ("[mapp]\nsite = 's'", "unknown field `mapp`"),
        ("delimiter = ';;'", "length"),
        ("[values.event]\na = 'b'", r"\[values.event\]: event is not mapped"),
    ],
)
def test_a_wrong_mapping_file_is_explained(read: Reader, tmp_path: Any, text: str, message: str) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(text)
    with pytest.raises(SourceError, match=message):
        read(b"", "x.csv", maps=[str(mapping)])


def test_a_header_with_broken_quotes(read: Reader) -> None:
    with pytest.raises(SourceError, match=r"x\.csv:1: the header cannot be read"):
        read(b'"who,when\nann,1\n', "x.csv", maps=WHO_WHEN, sets=SETS)


cells = st.text(st.sampled_from('a"\n,; é'), max_size=6)


@given(rows=st.lists(st.lists(cells, min_size=2, max_size=4), max_size=12))
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]]) -> None:
    """But for blank lines, and for cells of nothing but blanks that stand alone."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    lines = iter(text.getvalue().encode().split(b"\n"))
    assert [row for row, _ in split_rows(lines, ",", '"')] == rows


@given(text=st.text(st.sampled_from('a",\n'), max_size=60))
def test_no_line_is_lost(text: str) -> None:
    """Each line that is not blank is in exactly one row, or is given out as it is."""
    lines = [line.encode() for line in text.split("\n")]
    place = 0
    for row, first in split_rows(iter(lines), ",", '"'):
        while not lines[place]:
            place += 1
        assert lines[place] == first
        place += 1 + sum(cell.count("\n") for cell in row or [])
    assert not any(lines[place:])
