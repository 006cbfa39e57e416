"""Pipeline health: rate, lag, latency, store, ledger, dead letters, machine."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import (
    GREEN,
    QUARTER,
    RED,
    SITES,
    YELLOW,
    AnyPanel,
    cells,
    figure,
    lines,
    now,
    prom,
    rows,
)  # fmt: skip


def dashboard() -> Dashboard:
    """The dashboard."""
    return board(
        "masir-health",
        "Masir: Pipeline health",
        "Rate, lag, latency, store, ledger, dead letters, machine",
        [*_now(), *_flow(), *_door(), *_store(), *_machine()],
        variables=("site",),
        since="now-6h",
    )


def _now() -> list[AnyPanel]:
    return [
        figure(
            "Hits", "Hits a second, of all outcomes.",
            prom("sum(rate(masir_hits_total[$__rate_interval]))"),
            unit="suffix:/s", width=QUARTER,
        ),
        figure(
            "Time to the store", "99 of 100 batches are in the store within this time of their receipt. Budget: 2 s.",
            prom(
                """histogram_quantile(0.99,
                sum by (le) (rate(masir_end_to_end_seconds_bucket{hop="store"}[$__rate_interval])))"""
            ),
            unit="s", width=QUARTER, steps=[(2, YELLOW), (10, RED)],
        ),
        figure(
            "Ledger", "Hits without an outcome, or outcomes without a hit (negative). Anything but 0 is a fault.",
            prom("sum(masir_ledger_difference_hits)"),
            unit="none", width=QUARTER, steps=[(-1e9, RED), (0, GREEN), (1, RED)],
        ),
        figure(
            "Disk", "Free on the disk of the data directory.",
            prom("masir_disk_free_bytes / masir_disk_size_bytes", "{{instance}}"),
            unit="percentunit", width=QUARTER, steps=[(0, RED), (0.1, YELLOW), (0.25, GREEN)],
        ),
    ]  # fmt: skip


def _flow() -> list[AnyPanel]:
    return [
        lines(
            "Hits by outcome", "Every hit has exactly one. Duplicates, bots and dead letters do no harm.",
            prom('sum by (outcome) (rate(masir_hits_total{site=~"$site"}[$__rate_interval]))', "{{outcome}}"),
            unit="suffix:/s", stacked=True, link="hits",
        ),
        lines(
            "Records not read yet", "By hop. It must fall again after a burst.",
            prom("sum by (hop) (masir_consumer_lag_hits)", "{{hop}}"),
            unit="short",
        ),
        lines(
            "From receipt to the store", "Of the oldest hit of each batch: half of the batches, and 99 of 100.",
            prom(
                """histogram_quantile(0.5,
                sum by (le) (rate(masir_end_to_end_seconds_bucket{hop="store"}[$__rate_interval])))""",
                "p50",
            ),
            prom(
                """histogram_quantile(0.99,
                sum by (le) (rate(masir_end_to_end_seconds_bucket{hop="store"}[$__rate_interval])))""",
                "p99",
            ),
            unit="s", steps=[(2, YELLOW)],
        ),
        lines(
            "Watermark behind the clock", "It may be large for old recordings. A line that rises with the clock means "
            "that time stands still.",
            prom("max by (hop, partition) (masir_watermark_lag_seconds)", "{{hop}} {{partition}}"),
            unit="s",
        ),
    ]  # fmt: skip


def _door() -> list[AnyPanel]:
    return [
        lines(
            "At the door",
            "Hits a second that the collectors took, refused (dead letters) or barred (consent, country).",
            prom("sum by (outcome) (rate(masir_collector_hits_total[$__rate_interval]))", "{{outcome}}"),
            unit="suffix:/s", stacked=True,
        ),
        lines(
            "Turned away, denied, spooled", "Requests answered with 408, 413, 429 or 503; senders that are not let in; "
            "hits that wait for the broker. All three are 0 on a good day.",
            prom("sum(increase(masir_collector_turned_away_total[$__rate_interval]))", "turned away"),
            prom("sum(increase(masir_collector_denied_total[$__rate_interval]))", "denied"),
            prom("sum(masir_spool_hits)", "spooled"),
            unit="short", steps=[(1, YELLOW)],
        ),
    ]  # fmt: skip


def _store() -> list[AnyPanel]:
    return [
        lines(
            "Rows written", "By table, a second.",
            prom("sum by (table) (rate(masir_sink_rows_total[$__rate_interval]))", "{{table}}"),
            unit="suffix:/s",
        ),
        lines(
            "Writes that failed", "They are tried again each second; nothing is lost.",
            prom("sum by (table) (increase(masir_sink_errors_total[$__rate_interval])) or vector(0)", "{{table}}"),
            unit="short", steps=[(1, RED)],
        ),
        lines(
            "Dead letters", "Hits that could not be read, by reason.",
            prom("sum by (reason) (increase(masir_dead_letters_total[$__rate_interval]))", "{{reason}}"),
            unit="short", link="dead letters",
        ),
        cells(
            "Ledger", "What became of every hit, of all time.",
            rows(f"SELECT site, outcome, hits FROM ledger WHERE {SITES} ORDER BY site, hits DESC"),
            units={}, link="hits",
        ),
        cells(
            "Dead letters", "By site and reason, in the time chosen.",
            rows("""
SELECT site, reason, field, count() AS letters, max(received_time) AS latest, any(message) AS message
FROM dead_letters
WHERE $__timeFilter(received_time)
GROUP BY site, reason, field
ORDER BY letters DESC
LIMIT 100"""),
            units={"latest": "dateTimeAsIso"}, link="dead letters",
        ),
        lines(
            "Webhook", "Attempts to tell a system of yours of churn signals, by what they came to.",
            prom(
                "sum by (outcome) (increase(masir_webhook_attempts_total[$__rate_interval])) or vector(0)",
                "{{outcome}}",
            ),
            unit="short",
        ),
    ]  # fmt: skip


def _machine() -> list[AnyPanel]:
    return [
        lines(
            "CPU", "Cores used by each process. The Python part uses one at most.",
            prom('rate(process_cpu_seconds_total{job="masir"}[$__rate_interval])', "{{instance}}"),
            unit="suffix: cores",
        ),
        lines(
            "Memory", "Resident, by process. It grows with the visitors of the last day and all persons' evidence.",
            prom('process_resident_memory_bytes{job="masir"}', "{{instance}}"),
            unit="bytes",
        ),
        cells(
            "Processes", "What runs, and whether Prometheus reaches it (1).",
            now(
                'up{job="masir"} * on (instance) group_left (version, python, settings) masir_build_info',
                "{{instance}}",
            ),
            units={}, width=24, height=6,
        ),
    ]  # fmt: skip
