"""A sharp drop and a steady fall of session time, on simulated series: which fires, when, and what does not."""

import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from pipeline.store.blocks import to_arrow
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from schemas.counter import CounterRow

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
HOUR_MS, PANE_MS = 3_600_000, 10_000
WEEK = 168
Series = Callable[[int], float]  # hour -> mean seconds


def season(hour: int) -> float:
    """Days are shorter at night, weekends longer by half."""
    weekend = 1.5 if hour // 24 % 7 >= 5 else 1.0
    return 120 * weekend * (1 + 0.3 * math.sin(2 * math.pi * hour / 24))


def noisy(series: Series, seed: int, visits: int) -> Series:
    """Lengths of visits vary about twice their mean."""
    rng = random.Random(seed)
    return lambda hour: max(1.0, rng.gauss(series(hour), 2 * series(hour) / math.sqrt(visits)))


def rows(site: str, series: Series, hours: int, visits: int) -> Iterator[CounterRow]:
    """Two channels, and the hour filled to its last pane."""
    start = int(MONDAY.timestamp() * 1000)
    for hour in range(hours):
        ms = round(series(hour) * 1000 * visits)
        for channel, pane in (
            ("direct", start + hour * HOUR_MS),
            ("email", start + (hour + 1) * HOUR_MS - PANE_MS),
        ):
            yield CounterRow(site, channel, pane, PANE_MS, visits // 2, 0, 0, 0, ms // 2, 0, 1)


def alarms(
    client: Client, sink: Sink, series: Series, *, weeks: float = 6, visits: int = 1000
) -> list[tuple[str, datetime, datetime, int]]:
    sink.insert(
        "counters", to_arrow("counters", list(rows("shop", series, round(weeks * WEEK), visits))), "t"
    )
    return client.query("SELECT kind, began, ended, is_on FROM session_time_alarms ORDER BY ALL")


def at(hours: int) -> datetime:
    return MONDAY.replace(tzinfo=None) + timedelta(hours=hours)  # as the client gives times


@pytest.mark.parametrize("seed", range(3))
def test_season_and_noise_fire_nothing(client: Client, sink: Sink, seed: int) -> None:
    assert alarms(client, sink, noisy(season, seed, 1000)) == []


def test_a_step_is_a_fault_for_as_long_as_it_is_unusual_and_is_no_fading(client: Client, sink: Sink) -> None:
    broken = range(4 * WEEK + 10, 4 * WEEK + 16)
    series = noisy(lambda hour: season(hour) * (0.3 if hour in broken else 1), 7, 1000)
    assert alarms(client, sink, series) == [("drop", at(broken.start), at(broken.stop), 0)]


def test_a_step_that_stays_is_on_and_is_no_fading_in_the_weeks_after(client: Client, sink: Sink) -> None:
    series = noisy(lambda hour: season(hour) * (0.35 if hour >= 5 * WEEK else 1), 8, 1000)
    assert alarms(client, sink, series) == [("drop", at(5 * WEEK), at(6 * WEEK), 1)]


def test_a_slope_is_fading_and_no_fault(client: Client, sink: Sink) -> None:
    """Seven in a hundred a week from the third week on."""
    series = noisy(lambda hour: season(hour) * 0.93 ** max(0, hour / WEEK - 2), 9, 1000)
    ((kind, began, _, is_on),) = alarms(client, sink, series, weeks=7)
    assert (kind, is_on) == ("fading", 1)
    assert at(4 * WEEK) < began < at(6 * WEEK)


def test_a_fall_in_one_go_is_no_fading(client: Client, sink: Sink) -> None:
    """By a third: less than a fault, and weeks of which at most two differ from the one before."""
    series = noisy(lambda hour: season(hour) * (0.66 if hour >= 4 * WEEK + 60 else 1), 10, 1000)
    assert alarms(client, sink, series) == []


@pytest.mark.parametrize(("visits", "fires"), [(198, False), (200, True)])
def test_an_hour_of_few_visits_says_nothing(client: Client, sink: Sink, visits: int, fires: bool) -> None:
    series: Series = lambda hour: 30 if hour == 4 * WEEK else 120  # noqa: E731 - a series
    assert bool(alarms(client, sink, series, visits=visits)) is fires


@pytest.mark.parametrize(("seconds", "fires"), [(60, False), (59.9, True)])
def test_half_of_the_usual_is_the_boundary(client: Client, sink: Sink, seconds: float, fires: bool) -> None:
    series: Series = lambda hour: seconds if hour == 4 * WEEK else 120  # noqa: E731 - a series
    assert bool(alarms(client, sink, series)) is fires


def test_in_the_first_week_the_day_before_is_the_usual(client: Client, sink: Sink) -> None:
    series: Series = lambda hour: 20 if hour == 50 else 120  # noqa: E731 - a series
    assert alarms(client, sink, series, weeks=0.5) == [("drop", at(50), at(51), 0)]


def test_a_few_long_visits_a_week_ago_are_not_what_is_usual(client: Client, sink: Sink) -> None:
    """Of an hour with 198 the day before is asked instead; of 200 the mean is theirs, whatever other hours say."""

    def fires(visits_a_week_ago: int) -> bool:
        found = list(rows("shop", lambda _: 120, WEEK + 2, 1000))
        few = next(rows("shop", lambda _: 1500, 1, visits_a_week_ago * 2))
        found[:2] = [few]
        sink.insert("counters", to_arrow("counters", found), f"{visits_a_week_ago}")
        ((number,),) = client.query(f"SELECT count() FROM session_time_alarms WHERE began = '{at(WEEK)}'")
        client.command("TRUNCATE TABLE counters_rows")
        return bool(number)

    assert [fires(visits) for visits in (1, 199, 200)] == [False, False, True]


def test_the_usual_is_a_mean_of_visits_and_not_of_weeks(client: Client, sink: Sink) -> None:
    """1,000 visits of 100 s three weeks ago and 100 of 1,000 s a week ago: 182 s are usual and not 550 s."""
    found = list(rows("shop", lambda _: 100, 1, 1000))
    found += [
        replace(row, pane_start=row.pane_start + 2 * WEEK * HOUR_MS)
        for row in rows("shop", lambda _: 1000, 1, 100)
    ]
    found += [
        replace(row, pane_start=row.pane_start + 3 * WEEK * HOUR_MS)
        for row in rows("shop", lambda _: 95, 1, 200)
    ]
    sink.insert("counters", to_arrow("counters", found), "t")
    assert client.query("SELECT * FROM session_time_alarms") == []


def test_where_nobody_came_nothing_is_usual(client: Client, sink: Sink) -> None:
    found = list(rows("shop", lambda _: 1000, 1, 100))
    found += [replace(row, pane_start=row.pane_start + HOUR_MS) for row in rows("shop", lambda _: 95, 1, 200)]
    sink.insert("counters", to_arrow("counters", found), "t")
    assert client.query("SELECT * FROM session_time_alarms") == []


def test_an_hour_that_is_not_over_says_nothing(client: Client, sink: Sink) -> None:
    found = list(rows("shop", lambda hour: 20 if hour == 50 else 120, 51, 1000))
    sink.insert("counters", to_arrow("counters", found[:-1]), "t")
    assert client.query("SELECT * FROM session_time_alarms") == []
