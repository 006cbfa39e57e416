"""Journey: who is in which stage, how people move, where they leave, how long they stay."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source.boards import board
from deploy.grafana.source.kit import (
    HALF,
    SITES,
    THIRD,
    WIDE,
    AnyPanel,
    bars,
    cells,
    lines,
    now,
    over_time,
    prom,
    rows,
)  # fmt: skip

MODEL = "model = ${model:singlequote}"


def dashboard() -> Dashboard:
    """The dashboard."""
    return board(
        "masir-journey",
        "Masir: Journey",
        "Stages now, the flow between them, exits and dwell, by stage model",
        [*_now(), *_flow(), *_why()],
        variables=("site", "model", "window"),
        since="now-7d",
    )


def _now() -> list[AnyPanel]:
    return [
        bars(
            "Persons by stage now",
            "Persons whose current stage it is. Each model counts every person once: do not add models.",
            now('sum by (stage) (masir_stage_persons{site=~"$site", model="$model"})', "{{stage}}"),
            unit="short", width=THIRD, link="transitions",
        ),
        lines(
            "Persons by stage",
            "The same over time. A stage that swells while the next one does not grow is where people are stuck.",
            prom('sum by (stage) (masir_stage_persons{site=~"$site", model="$model"})', "{{stage}}"),
            unit="short", width=2 * THIRD, stacked=True, link="transitions",
        ),
        lines(
            "Changes of stage per hour",
            "Persons who went from a stage to another; (in) is the way into the journey.",
            prom(
                """sum by (from_stage, to_stage)
                (increase(masir_stage_transitions_total{site=~"$site", model="$model"}[1h]))""",
                "{{from_stage}} → {{to_stage}}",
            ),
            unit="short", link="transitions",
        ),
        bars(
            "Exit share by stage",
            "Of the persons who were in the stage in the window, the share that left the journey in it. The lapse time "
            "of the model has to pass first, so it is late by nature.",
            now(
                'max by (stage) (masir_stage_exit_ratio{site=~"$site", model="$model", window="$window"})',
                "{{stage}}",
            ),
            unit="percentunit", link="transitions",
        ),
    ]  # fmt: skip


def _flow() -> list[AnyPanel]:
    return [
        cells(
            "Flow between stages",
            "Every way people took in the time chosen, also back. median_dwell: time in the stage they left.",
            rows(f"""
SELECT if(from_stage = '', '(in)', from_stage) AS "from", if(to_stage = '', '(out)', to_stage) AS "to", kind,
    count() AS moves, uniqExact(person_id) AS persons, quantileExact(dwell_ms) / 1000 AS median_dwell
FROM transitions
WHERE {SITES} AND {MODEL} AND $__timeFilter(time)
GROUP BY from_stage, to_stage, kind
ORDER BY moves DESC
LIMIT 100"""),
            units={"median_dwell": "s"}, link="transitions",
        ),
        cells(
            "Stages side by side",
            "Of all time: who entered, is there now, moved on, moved back, left; and how long they stayed.",
            rows(f"""
SELECT site, stage, persons, persons_now, persons_advanced, persons_regressed, persons_exited,
    advance_ratio, exit_ratio, median_dwell_seconds AS median_dwell
FROM stage_figures
WHERE {SITES} AND {MODEL}
ORDER BY site, position"""),
            units={"advance_ratio": "percentunit", "exit_ratio": "percentunit", "median_dwell": "s"},
            link="transitions",
        ),
        lines(
            "Forward and back",
            "Moves by kind: a rising share of regress means that people do not find what they came on for.",
            over_time(f"""
SELECT $__timeInterval(t.time) AS time, toString(kind) AS kind, count() AS moves
FROM transitions AS t
WHERE {SITES} AND {MODEL} AND $__timeFilter(t.time)
GROUP BY time, kind
ORDER BY time"""),
            unit="short", width=HALF, stacked=True, link="transitions",
        ),
    ]  # fmt: skip


def _why() -> list[AnyPanel]:
    return [
        cells(
            "What brought people into a stage",
            "The event and channel that caused the change of stage.",
            rows(f"""
SELECT to_stage AS stage, cause_event AS event, cause_channel AS channel, count() AS moves,
    uniqExact(person_id) AS persons
FROM transitions
WHERE {SITES} AND {MODEL} AND $__timeFilter(time) AND kind IN ('enter', 'advance')
GROUP BY stage, event, channel
ORDER BY moves DESC
LIMIT 100"""),
            units={}, link="transitions",
        ),
        cells(
            "Content that moves people on",
            "Of all time: of the persons who met a kind of content in a stage, the share that moved on within seven "
            "days, beside the share of all persons of that stage who ever did.",
            rows(f"""
SELECT site, stage, content, touches, persons, moved_on_ratio, stage_advance_ratio
FROM content_effects
WHERE {SITES} AND {MODEL}
ORDER BY site, position, moved_on_ratio DESC
LIMIT 200"""),
            units={"moved_on_ratio": "percentunit", "stage_advance_ratio": "percentunit"},
            width=WIDE, link="hits",
        ),
    ]  # fmt: skip
