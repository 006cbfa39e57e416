"""The published counts of the real data, at the readers' output."""

from collections import Counter
from pathlib import Path

import pytest

import pipeline.demo
from pipeline.sources import read_hits, read_options
from schemas.hit import Hit

from .kit import decoded, sessions

BUNDLED = Path(pipeline.demo.__file__).parent / "data"
DATA = Path(__file__).parent.parent / "data"


def hits_of(path: Path, mapping: str) -> list[Hit]:
    return [decoded(raw) for raw in read_hits(str(path), read_options(maps=[str(BUNDLED / mapping)]))]


@pytest.fixture(scope="module")
def wikipedia() -> list[Hit]:
    return hits_of(BUNDLED / "wikipedia_sessions.csv.gz", "wikipedia.toml")


def test_wikipedia(wikipedia: list[Hit]) -> None:
    visits = sessions(wikipedia)
    durations = [visit[-1].time - visit[0].time for visit in visits.values()]
    assert len(wikipedia) == 63_524
    assert len({hit.visitor_id for hit in wikipedia}) == 10_000
    assert len(visits) == 22_224
    assert sum(len(visit) == 1 for visit in visits.values()) == 13_138
    assert round(sum(durations) / len(durations) / 1_000, 3) == 272.385
    assert {(hit.site, hit.event) for hit in wikipedia} == {("wiki", "page_view")}


def test_wikipedia_by_options_is_wikipedia_by_file(wikipedia: list[Hit]) -> None:
    options = read_options(maps=["visitor_id=uuid", "time=ts:s"], sets=["event=page_view"], site="wiki")
    path = str(BUNDLED / "wikipedia_sessions.csv.gz")
    assert [decoded(raw) for raw in read_hits(path, options)] == wikipedia


def test_ecom_sessions_are_its_own() -> None:
    hits = hits_of(DATA / "ecom.csv.gz", "ecom.toml")
    visits = sessions(hits)
    own = [{bytes(hit.props).split(b'"session_id":"')[1][:11] for hit in visit} for visit in visits.values()]
    assert len(hits) == 31_106
    assert len({hit.visitor_id for hit in hits}) == 600
    assert len(visits) == 3_605
    assert all(len(ids) == 1 for ids in own)
    assert len(set.union(*own)) == 3_605
    assert Counter(hit.event for hit in hits)["purchase"] == 470
    assert sum(len(visit) == 1 for visit in visits.values()) == 231


def test_nasa() -> None:
    hits = hits_of(DATA / "nasa_19950801.tsv.gz", "nasa.toml")
    visits = sessions(hits)
    assert len(hits) == 30_969
    assert len({hit.visitor_id for hit in hits}) == 2_365
    assert len(visits) == 2_989
    assert sum(len(visit) == 1 for visit in visits.values()) == 332


def test_apache_log_adds_up() -> None:
    skipped: Counter[str] = Counter()
    options = read_options(site="semicomplete.com")
    hits = [decoded(raw) for raw in read_hits(str(DATA / "apache_logs.gz"), options, skipped=skipped)]
    assert len(hits) + skipped.total() == 10_000
    assert skipped == {"asset": 5_678, "status": 384, "method": 35}
    assert all(hit.url.startswith("https://semicomplete.com/") for hit in hits)
    assert not any(hit.ip for hit in hits)
