"""Gauges of what persons say and do beside their sessions: surveys, e-mails, stages left, signs of leaving.

They are made of the counters' measures (:class:`schemas.counter.Measure`) when they are asked for, site by site. A
ratio of nothing has no sample; a reason that has ever been raised is shown, also when nobody is at risk any more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from pipeline.core.counters import STAGE, Gauges
from pipeline.core.windows import WINDOWS

Sums = Sequence[int]
_MICROS: Final = 1e6
_SURVEYS: Final = ("csat", "ces", "nps")


def _mean_score(sums: Sums) -> float | None:
    return sums[1] / sums[0] / _MICROS if sums[0] else None


def _share_good(sums: Sums) -> float | None:
    return sums[2] / sums[0] if sums[0] else None


def _points(sums: Sums) -> float | None:
    return 100 * (sums[2] - sums[3]) / sums[0] if sums[0] else None


def _of_delivered(place: int) -> Callable[[Sums], float | None]:
    return lambda sums: sums[place] / sums[0] if sums[0] else None


def _exits(sums: Sums, persons_now: int) -> float | None:
    entered = persons_now + sums[0] + sums[1]  # and had not left before the window
    return sums[1] / entered if entered > 0 else None


_FIGURES: Final[tuple[tuple[str, str, str, Callable[[Sums], float | None]], ...]] = (
    ("masir_csat_score", "Mean satisfaction, 1 to 10", "csat", _mean_score),
    ("masir_csat_satisfied_ratio", "Answers of 8 and more by answers", "csat", _share_good),
    ("masir_ces_score", "Mean effort score, 1 to 10", "ces", _mean_score),
    ("masir_nps_score", "Net promoter score, -100 to 100", "nps", _points),
    ("masir_email_open_ratio", "Opened by delivered e-mails", "email", _of_delivered(1)),
    ("masir_email_machine_open_ratio", "Opened by machines only, by delivered", "email", _of_delivered(2)),
    ("masir_email_click_ratio", "Clicked by delivered e-mails", "email", _of_delivered(3)),
    ("masir_email_complaint_ratio", "Complaints by delivered e-mails", "email", _of_delivered(5)),
)


def families(snapshots: Iterable[Gauges], label: Callable[[str], str]) -> Iterator[Metric]:
    """``label``: the name of a site on a metric; those of one name are summed before a ratio is made."""
    measures: dict[tuple[str, str, str], list[int]] = {}
    risks: dict[tuple[str, str], int] = {}
    persons_now: dict[tuple[str, ...], int] = {}
    for gauges in snapshots:
        for site, state in gauges.sites.items():
            for name, windows in state.measures.items():
                for window, sums in zip(WINDOWS, windows, strict=True):
                    total = measures.setdefault((label(site), name, window), [0] * len(sums))
                    total[:] = [one + other for one, other in zip(total, sums, strict=True)]
            for reason, (persons, _) in state.risks.items():
                risks[label(site), reason] = risks.get((label(site), reason), 0) + persons
            for (model, stage), persons in state.persons.items():
                key = label(site), model, stage
                persons_now[key] = persons_now.get(key, 0) + persons
    for metric, text, measure, figure in _FIGURES:
        family = GaugeMetricFamily(metric, text, labels=["site", "window"])
        for (site, name, window), sums in measures.items():
            value = figure(sums) if name == measure else None
            if value is not None:
                family.add_metric((site, window), value)
        yield family
    yield _answers(measures)
    yield _exit_ratios(measures, persons_now)
    family = GaugeMetricFamily(
        "masir_churn_risk_persons", "Persons about to leave", labels=["site", "reason"]
    )
    for of_risk, persons in risks.items():
        family.add_metric(of_risk, persons)
    yield family


def _answers(measures: Mapping[tuple[str, str, str], Sums]) -> Metric:
    """So that an alert can tell a fall from a few answers; none is 0 where there have been some."""
    family = GaugeMetricFamily("masir_survey_answers", "Answers", labels=["site", "metric", "window"])
    for (site, name, window), sums in measures.items():
        if name in _SURVEYS:
            family.add_metric((site, name, window), sums[0])
    return family


def _exit_ratios(
    measures: Mapping[tuple[str, str, str], Sums], persons_now: Mapping[tuple[str, ...], int]
) -> Metric:
    """Of all who were in the stage in the window. What left it is a measure of its own for each stage."""
    family = GaugeMetricFamily(
        "masir_stage_exit_ratio",
        "Persons who left the journey in the stage, by those who were in it in the window",
        labels=["site", "model", "stage", "window"],
    )
    for (site, name, window), sums in measures.items():
        kind, *stage = name.split(STAGE)
        exits = _exits(sums, persons_now.get((site, *stage), 0)) if stage and not kind else None
        if exits is not None:
            family.add_metric((site, *stage, window), exits)
    return family
