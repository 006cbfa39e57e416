"""Thresholds, weights and durations of the signs that a person is about to leave: what the settings say of them.

Reasons are numbered by their place in REASONS. Scores are on the common scales (1 to 10, NPS 0 to 10), times in ms.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
REASONS: Final = ("overdue", "fading", "unhappy", "abandoned", "support", "payment", "leaving", "regress")
OVERDUE, FADING, UNHAPPY, ABANDONED, SUPPORT, PAYMENT, LEAVING, REGRESS = range(8)
WEIGHTS: Final[dict[str, float]] = dict(
    zip(REASONS, (0.2, 0.1, 0.15, 0.03, 0.1, 0.12, 0.25, 0.05), strict=True)
)
END_DAYS: Final[dict[str, float]] = dict(zip(REASONS, (90, 90, 90, 14, 30, 30, 90, 90), strict=True))
REGRESS_MODELS: Final = ("digital8", "loyalty5")
RECENT_VISITS: Final = 4  # that fading compares with those before
MOST: Final = 36_500


THRESHOLDS: Final[dict[str, float]] = {
    "overdue_gaps": 3,  # so many usual gaps of silence,
    "overdue_days": 7,  # and so many days at least,
    "overdue_visits": 3,  # of somebody with so many visits
    "fading_visits": 8,
    "csat_low": 4,
    "csat_good": 7,
    "ces_hard": 7,
    "ces_easy": 4,
    "nps_low": 6,
    "nps_good": 8,
    "ticket_hours": 48,  # that one may stay open
    "tickets": 3,  # so many
    "tickets_days": 30,  # within
}


class SignalRules(Struct, frozen=True):
    """``weights`` add up to 1 at most, so that a person's score does. ``ends_ms``: after the last reason for it.

    ``timeout_ms``: of sessions.
    """

    overdue_gaps: int = 3
    overdue_ms: int = 7 * DAY_MS
    overdue_visits: int = 3
    fading_visits: int = 8
    csat_low: float = 4
    csat_good: float = 7
    ces_hard: float = 7
    ces_easy: float = 4
    nps_low: float = 6
    nps_good: float = 8
    ticket_ms: int = 48 * HOUR_MS
    tickets: int = 3
    tickets_ms: int = 30 * DAY_MS
    weights: tuple[float, ...] = tuple(WEIGHTS.values())
    ends_ms: tuple[int, ...] = tuple(round(days * DAY_MS) for days in END_DAYS.values())
    timeout_ms: int = HOUR_MS // 2


def rules_of(
    thresholds: Mapping[str, float],
    weights: Mapping[str, float],
    end_days: Mapping[str, float],
    timeout_ms: int = HOUR_MS // 2,
) -> SignalRules:
    """What the settings say; what they leave out is as usual. ValueError names what cannot be."""
    known = THRESHOLDS | _named("churn_thresholds", thresholds, THRESHOLDS)
    weight = WEIGHTS | _named("churn_weights", weights, REASONS)
    days = END_DAYS | _named("churn_end_days", end_days, REASONS)
    if sum(weight.values()) > 1 + 1e-9:
        raise ValueError("churn_weights must add up to 1 at most, those left out included")
    counts = [known[name] for name in ("overdue_gaps", "overdue_visits", "fading_visits", "tickets")]
    if any(value != int(value) for value in counts):
        raise ValueError(
            "churn_thresholds: overdue_gaps, overdue_visits, fading_visits, tickets are whole numbers"
        )
    if known["fading_visits"] <= RECENT_VISITS or known["overdue_visits"] < 2 or known["tickets"] < 1:
        raise ValueError(
            f"churn_thresholds: fading_visits must be more than {RECENT_VISITS}, overdue_visits at least 2, tickets 1"
        )
    gaps, visits, fading, tickets = map(int, counts)
    return SignalRules(
        overdue_gaps=gaps,
        overdue_visits=visits,
        fading_visits=fading,
        tickets=tickets,
        csat_low=known["csat_low"],
        csat_good=known["csat_good"],
        ces_hard=known["ces_hard"],
        ces_easy=known["ces_easy"],
        nps_low=known["nps_low"],
        nps_good=known["nps_good"],
        overdue_ms=round(known["overdue_days"] * DAY_MS),
        ticket_ms=round(known["ticket_hours"] * HOUR_MS),
        tickets_ms=round(known["tickets_days"] * DAY_MS),
        weights=tuple(weight[reason] for reason in REASONS),
        ends_ms=tuple(round(days[reason] * DAY_MS) for reason in REASONS),
        timeout_ms=timeout_ms,
    )


def _named(setting: str, given: Mapping[str, float], known: Iterable[str]) -> dict[str, float]:
    names = list(known)
    for name, value in given.items():
        if name not in names:
            raise ValueError(f"{setting}: there is no {name}; there is {', '.join(names)}")
        if not 0 <= value <= MOST:
            raise ValueError(f"{setting}: {name} must lie between 0 and {MOST}")
    return dict(given)
