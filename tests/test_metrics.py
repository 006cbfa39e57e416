"""What stands on the /metrics page."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.core.counters import Counters
from pipeline.core.windows import PANE_MS, sum_sessions
from pipeline.disk_metrics import Disk
from pipeline.metrics import MAX_SITES, Metrics
from schemas.counter import Facts
from schemas.outcome import Outcome, Reason
from schemas.session import SessionFact
from schemas.transition import TransitionFact

T0 = 1_700_000_000_000

CONTRACT = {
    "masir_hits_total": {"site", "outcome"},
    "masir_active_sessions": {"site"},
    "masir_sessions_closed": {"site", "channel", "window"},
    "masir_bounce_ratio": {"site", "channel", "window"},
    "masir_conversion_ratio": {"site", "channel", "window"},
    "masir_session_duration_seconds": {"site", "channel", "window"},
    "masir_stage_persons": {"site", "model", "stage"},
    "masir_stage_transitions_total": {"site", "model", "from_stage", "to_stage"},
    "masir_watermark_lag_seconds": {"hop", "partition"},
    "masir_consumer_lag_hits": {"hop", "partition"},
    "masir_end_to_end_seconds_count": {"hop"},
    "masir_dead_letters_total": {"hop", "reason"},
    "masir_hits_mended_total": {"what"},
    "masir_sink_rows_total": {"hop", "table"},
    "masir_sink_errors_total": {"hop", "table"},
    "masir_build_info": {"version", "python", "settings"},
    "masir_ledger_difference_hits": set(),
    "masir_disk_free_bytes": set(),
    "masir_disk_size_bytes": set(),
    "masir_webhook_attempts_total": {"outcome"},
    "masir_links_refused_total": set(),
    "masir_history_missed_total": {"hop"},
}
FED_LATER = {"masir_customer_lifetime_value", "masir_cost_per_acquisition"}


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.expose().decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


def labels_of(metrics: Metrics, name: str, label: str) -> set[str]:
    return {dict(labels)[label] for found, labels in samples(metrics) if found == name}


def session(site: str = "shop", channel: str = "direct", **changes: int) -> SessionFact:
    values = {"duration_ms": 0, "counted": True, "bounced": False, "converted": False, **changes}
    return SessionFact(site, channel, T0, revenue_micros=0, **values)


def counters_with(sessions: Iterable[SessionFact] = (), steps: Iterable[TransitionFact] = ()) -> Counters:
    counters = Counters({}.get)
    sites = {one.site: 1 for one in sessions}
    counters.apply([Facts("sessionizer-0", T0, sum_sessions(sessions, PANE_MS), list(steps), sites)], 1)
    return counters


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", clock=lambda: 0.0)


def test_every_metric_of_the_contract_with_its_labels(metrics: Metrics) -> None:
    step = TransitionFact("shop", "buyer3", "awareness", "decision")
    metrics.publish(0, counters_with().snapshot())
    metrics.publish(0, counters_with([session()], [step]).snapshot())
    metrics.hits({("shop", Outcome.SESSIONIZED): 1})
    metrics.dead_letters("sessionizer", {Reason.NOT_JSON: 1})
    metrics.history_missed("journeys", 1)
    metrics.mended(unknown_fields=1, cut_urls=2)
    metrics.watermark("sessionizer", 0, 1.5)
    metrics.consumer_lag("sessionizer", 0, 10)
    metrics.end_to_end("store", [0.3])
    metrics.sink_rows("hits", 5)
    metrics.sink_error("hits")
    metrics.ledger_difference(0)
    metrics.register(Disk(Path(__file__).parent))
    metrics.webhook("delivered")
    found = {name: {label for label, _ in labels} for name, labels in samples(metrics) if "masir_" in name}
    histogram = {f"masir_end_to_end_seconds_{part}" for part in ("bucket", "sum")}
    assert {name: found[name] for name in found.keys() - histogram} == CONTRACT


def test_the_documentation_has_every_metric() -> None:
    documented = (Path(__file__).parents[1] / "docs/metrics.md").read_text("utf-8")
    names = {name.removesuffix("_count") for name in CONTRACT} | FED_LATER
    assert not [name for name in names if f"`{name}" not in documented]


def test_what_nothing_feeds_is_declared_and_has_no_sample(metrics: Metrics) -> None:
    told = text_string_to_metric_families(metrics.expose().decode())
    families = {family.name: family.samples for family in told}
    assert {name: families.get(name) for name in FED_LATER} == {name: [] for name in FED_LATER}


def test_later_metrics_show_what_they_are_fed(metrics: Metrics) -> None:
    metrics.customer_lifetime_value.labels("shop", "EUR").set(8.5)
    assert value(metrics, "masir_customer_lifetime_value", site="shop", currency="EUR") == 8.5


def test_figures_of_a_window(metrics: Metrics) -> None:
    sessions = [
        session(channel="email", bounced=True),
        session(channel="email", duration_ms=60_000, converted=True),
        session(channel="direct", counted=False),
    ]
    metrics.publish(0, counters_with(sessions).snapshot())
    for channel, expected in {
        "email": (2, 0.5, 0.5, 30),
        "direct": (1, None, 0, 0),
        "all": (3, 0.5, 1 / 3, 20),
    }.items():
        found = tuple(
            value(metrics, name, site="shop", channel=channel, window="1h")
            for name in (
                "masir_sessions_closed",
                "masir_bounce_ratio",
                "masir_conversion_ratio",
                "masir_session_duration_seconds",
            )
        )
        assert found == expected
    assert value(metrics, "masir_active_sessions", site="shop") == 1


def test_a_window_without_sessions_shows_zero_sessions_and_no_ratio(metrics: Metrics) -> None:
    counters = counters_with([session()])
    counters.apply([Facts("sessionizer-0", T0 + 3_600_000)], 2)
    metrics.publish(0, counters.snapshot())
    labels = {"site": "shop", "channel": "all", "window": "1h"}
    assert value(metrics, "masir_sessions_closed", **labels) == 0
    for name in ("masir_bounce_ratio", "masir_conversion_ratio", "masir_session_duration_seconds"):
        assert value(metrics, name, **labels) is None


def test_sites_beyond_the_limit_are_summed_before_ratios_are_made(metrics: Metrics) -> None:
    for number in range(MAX_SITES):
        metrics.hits({(f"site{number}", Outcome.SESSIONIZED): 1})
    sessions = [session("first", bounced=True), *[session("second")] * 3]
    metrics.publish(0, counters_with(sessions).snapshot())
    labels = {"site": "other", "channel": "all", "window": "5m"}
    assert value(metrics, "masir_sessions_closed", **labels) == 4
    assert value(metrics, "masir_bounce_ratio", **labels) == 0.25  # the mean of the two ratios is 0.5
    assert value(metrics, "masir_active_sessions", site="other") == 2
    metrics.hits({("third", Outcome.LATE): 2, ("fourth", Outcome.LATE): 3})
    assert value(metrics, "masir_hits_total", site="other", outcome="late") == 5
    assert len(labels_of(metrics, "masir_hits_total", "site")) == MAX_SITES + 1


def test_the_first_sites_keep_their_names(metrics: Metrics) -> None:
    metrics.publish(0, counters_with([session("early")]).snapshot())
    metrics.hits({(f"site{number}", Outcome.BOT): 1 for number in range(MAX_SITES)})
    assert value(metrics, "masir_hits_total", site="site48", outcome="bot") == 1
    assert value(metrics, "masir_hits_total", site="site49", outcome="bot") is None
    assert "early" in labels_of(metrics, "masir_active_sessions", "site")


def test_sites_of_the_settings_keep_their_names_whatever_comes_first() -> None:
    metrics = Metrics(version="1", sites=["mine"])
    metrics.hits({(f"site{number}", Outcome.BOT): 1 for number in range(MAX_SITES)})
    metrics.hits({("mine", Outcome.BOT): 7})
    assert value(metrics, "masir_hits_total", site="mine", outcome="bot") == 7
    assert value(metrics, "masir_hits_total", site="other", outcome="bot") == 1


def test_dead_letters_take_no_place_among_the_sites(metrics: Metrics) -> None:
    metrics.hits({(f"forged{number}", Outcome.DEAD_LETTER): 1 for number in range(100)})
    metrics.hits({("shop", Outcome.SESSIONIZED): 1})
    metrics.hits({("shop", Outcome.DEAD_LETTER): 1})
    assert value(metrics, "masir_hits_total", site="other", outcome="dead_letter") == 100
    assert value(metrics, "masir_hits_total", site="shop", outcome="dead_letter") == 1


def test_channels_are_bounded(metrics: Metrics) -> None:
    sessions = [session(channel=f"channel{number}") for number in range(30)]
    metrics.publish(0, counters_with(sessions).snapshot())
    channels = labels_of(metrics, "masir_sessions_closed", "channel")
    assert len(channels) == 17  # with ``all``
    assert value(metrics, "masir_sessions_closed", site="shop", channel="other", window="5m") == 15
    assert value(metrics, "masir_sessions_closed", site="shop", channel="all", window="5m") == 30


def test_partitions_add_up_and_a_revoked_one_is_gone(metrics: Metrics) -> None:
    metrics.publish(0, counters_with([session("shop")]).snapshot())
    metrics.publish(1, counters_with([session("wiki")]).snapshot())
    metrics.watermark("counters", 1, 3)
    metrics.consumer_lag("counters", 1, 3)
    metrics.revoke("sessionizer", 0)
    assert labels_of(metrics, "masir_active_sessions", "site") == {"shop", "wiki"}
    metrics.revoke("counters", 1)
    assert labels_of(metrics, "masir_active_sessions", "site") == {"shop"}
    assert labels_of(metrics, "masir_watermark_lag_seconds", "hop") == set()
    assert labels_of(metrics, "masir_consumer_lag_hits", "hop") == set()


STEP = {"site": "shop", "model": "buyer3", "from_stage": "awareness", "to_stage": "decision"}


def test_transitions_total_never_falls_and_counts_what_was_taken_back_once(metrics: Metrics) -> None:
    step = TransitionFact("shop", "buyer3", "awareness", "decision")
    back = TransitionFact("shop", "buyer3", "awareness", "decision", -1)
    counters = counters_with()
    seen = []
    for steps in ([], [step, step], [back], [step], [step]):
        counters.apply([Facts("journeys-0", T0, transitions=steps)], 1)
        metrics.publish(0, counters.snapshot())
        seen.append(value(metrics, "masir_stage_transitions_total", **STEP))
    assert seen == [None, 2, 2, 2, 3]


def test_after_a_restart_totals_start_at_zero_and_gauges_are_whole(metrics: Metrics) -> None:
    step = TransitionFact("shop", "buyer3", "awareness", "decision")
    counters = counters_with([session()], [step, step])
    state = dict(counters.changes())
    counters = Counters(state.get)
    metrics.publish(0, counters.snapshot())
    assert value(metrics, "masir_stage_persons", site="shop", model="buyer3", stage="decision") == 2
    assert value(metrics, "masir_sessions_closed", site="shop", channel="all", window="24h") == 1
    assert value(metrics, "masir_stage_transitions_total", **STEP) is None
    counters.apply([Facts("journeys-0", T0, transitions=[step])], 2)
    metrics.publish(0, counters.snapshot())
    assert value(metrics, "masir_stage_transitions_total", **STEP) == 1


def test_a_partition_that_comes_back_counts_only_what_is_new_here(metrics: Metrics) -> None:
    step = TransitionFact("shop", "buyer3", "awareness", "decision")
    metrics.publish(0, counters_with().snapshot())
    metrics.publish(0, counters_with(steps=[step]).snapshot())
    metrics.revoke("counters", 0)
    metrics.publish(0, counters_with(steps=[step] * 5).snapshot())
    metrics.publish(0, counters_with(steps=[step] * 6).snapshot())
    assert value(metrics, "masir_stage_transitions_total", **STEP) == 2


def test_closed_label_sets_begin_at_zero(metrics: Metrics) -> None:
    metrics.hits({("shop", Outcome.SESSIONIZED): 4})
    hits = {outcome: value(metrics, "masir_hits_total", site="shop", outcome=outcome) for outcome in Outcome}
    assert hits == {**dict.fromkeys(Outcome, 0), Outcome.SESSIONIZED: 4}
    assert labels_of(metrics, "masir_dead_letters_total", "reason") == set(Reason)


def test_hops_report(metrics: Metrics) -> None:
    metrics.watermark("sessionizer", 2, 12.5)
    metrics.consumer_lag("store", 1, 7)
    metrics.end_to_end("store", [0.3, 0.7, 400])
    metrics.sink_rows("hits", 5)
    metrics.sink_rows("hits", 6)
    metrics.sink_error("sessions")
    metrics.dead_letters("sessionizer", {Reason.TOO_LARGE: 2})
    assert value(metrics, "masir_watermark_lag_seconds", hop="sessionizer", partition="2") == 12.5
    assert value(metrics, "masir_consumer_lag_hits", hop="store", partition="1") == 7
    assert value(metrics, "masir_end_to_end_seconds_bucket", hop="store", le="0.5") == 1
    assert value(metrics, "masir_end_to_end_seconds_bucket", hop="store", le="+Inf") == 3
    assert value(metrics, "masir_sink_rows_total", hop="store", table="hits") == 11
    assert value(metrics, "masir_sink_errors_total", hop="store", table="sessions") == 1
    assert value(metrics, "masir_dead_letters_total", hop="sessionizer", reason="too_large") == 2


def test_the_lag_of_a_hop_that_hangs_grows_with_the_clock() -> None:
    clock = [100.0]
    metrics = Metrics(version="1", clock=lambda: clock[0])
    metrics.watermark("sessionizer", 0, 2)
    clock[0] += 60
    assert value(metrics, "masir_watermark_lag_seconds", hop="sessionizer", partition="0") == 62
    metrics.watermark("sessionizer", 0, 3)
    assert value(metrics, "masir_watermark_lag_seconds", hop="sessionizer", partition="0") == 3


def test_the_ledgers_difference_is_shown_by_who_knows_it(metrics: Metrics) -> None:
    assert value(metrics, "masir_ledger_difference_hits") is None
    for said in (-3, None):
        metrics.ledger_difference(said)
        assert value(metrics, "masir_ledger_difference_hits") == said


def test_two_processes_in_one_do_not_share(metrics: Metrics) -> None:
    Metrics(version="2").hits({("shop", Outcome.SESSIONIZED): 1})
    assert value(metrics, "masir_hits_total", site="shop", outcome="sessionized") is None


def test_the_limit_holds_for_a_large_installation(metrics: Metrics) -> None:
    sessions = [session(f"site{s}", f"channel{c}") for s in range(60) for c in range(18)]
    metrics.publish(0, counters_with(sessions).snapshot())
    closed = {labels: n for (name, labels), n in samples(metrics).items() if name == "masir_sessions_closed"}
    assert len(closed) == (MAX_SITES + 1) * 17 * 3
    assert sum(closed.values()) == len(sessions) * 2 * 3  # by channel and under ``all``, in three windows
