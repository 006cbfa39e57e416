"""Snapshots: sums over partitions and sites, and differences that add up again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.counters import Gauges, SiteGauges
from pipeline.core.windows import WindowSums
from pipeline.live.snapshot import diff, journeys
from pipeline.live.vitals import RATE_SECONDS, Rate, Vitals
from pipeline.metrics import Metrics
from schemas.outcome import Outcome


def site(number: int, channel: str) -> SiteGauges:
    sums = tuple(WindowSums(number * width, number, number, 0, 10 * number) for width in (1, 2, 3))
    return SiteGauges(
        active=number,
        windows={"all": sums, channel: sums},
        persons={("m", "one"): number, ("m", "two"): 0},
        transitions={("m", "", "one"): number, ("m", "one", "two"): 0},
        risks={"payment": (number, 9)},
    )


SHOP, WIKI, NEWS = site(1, "email"), site(10, "email"), site(100, "direct")
PARTITIONS = [Gauges(5_000, {"shop": SHOP, "wiki": WIKI}), Gauges(9_000, {"news": NEWS}), Gauges(None, {})]


def test_all_sites_are_the_sum_of_the_sites() -> None:
    found = journeys(PARTITIONS, "")
    assert found["now"] == {"active": 111, "watermark": 9_000}
    assert found["windows"]["all"] == [
        [111, 111, 111, 0, 1110],
        [222, 111, 111, 0, 1110],
        [333, 111, 111, 0, 1110],
    ]
    assert found["windows"]["email"][0] == [11, 11, 11, 0, 110]
    assert found["stages"] == {"m": {"one": 111, "two": 0}}
    assert found["moves"] == {"m": [("", "one", 111)]}, "what was taken back is not shown"
    assert found["risks"] == {"payment": 111}
    assert found["sites"] == ["news", "shop", "wiki"]


def test_one_site_is_itself_at_the_time_of_its_partition() -> None:
    found = journeys(PARTITIONS, "wiki")
    assert found["now"] == {"active": 10, "watermark": 5_000}
    assert set(found["windows"]) == {"all", "email"}
    assert found["windows"]["all"][2] == [30, 10, 10, 0, 100]
    assert found["sites"] == ["news", "shop", "wiki"], "the list is of all"


def test_a_site_that_nobody_knows_has_nothing() -> None:
    assert journeys(PARTITIONS, "none")["now"] == {"active": 0, "watermark": None}
    assert journeys([], "")["sites"] == []


sections = st.dictionaries(st.sampled_from("abcde"), st.lists(st.integers(0, 3), max_size=3), max_size=5)


@given(sections, sections)
def test_what_was_known_and_what_has_changed_is_what_is(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    changes = diff(before, before | after)
    assert before | changes == before | after
    assert all(before.get(name) != section for name, section in changes.items())


def test_rate_is_a_mean_over_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(100.0, 1_000) == 0
    assert rate.at(101.0, 1_010) == 10
    assert rate.at(102.0, 1_010) == 5
    for second in range(103, 120):
        last = rate.at(float(second), 1_010 + 4 * (second - 102))
    assert last == 4
    assert rate.at(119.0 + RATE_SECONDS, 0) == 0, "never negative"


def test_vitals_are_the_samples_of_the_metrics() -> None:
    metrics = Metrics(version="1", clock=lambda: 0.0)
    vitals = Vitals(metrics)
    assert vitals.read("")[0] == 0
    metrics.hits({("shop", Outcome.SESSIONIZED): 5, ("wiki", Outcome.BOT): 2})
    metrics.watermark("sessionizer", 0, 3.0)
    metrics.watermark("sessionizer", 1, 7.4)
    metrics.consumer_lag("store", 0, 4)
    metrics.consumer_lag("store", 1, 5)
    metrics.sink_rows("hits", 11)
    metrics.sink_error("hits")
    metrics.ledger_difference(-2)
    hits, health = vitals.read("shop")
    assert (hits, vitals.read("")[0]) == (5, 7)
    assert health == {
        "lags": {"sessionizer": 7},
        "waiting": {"store": 9},
        "dead_letters": 0,
        "rows": 11,
        "store_errors": 1,
        "ledger_difference": -2,
    }
