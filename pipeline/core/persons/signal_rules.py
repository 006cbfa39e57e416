"""Thresholds, weights and durations of the signs that a person is about to leave: what the settings say of them.

Reasons are numbered by their place in REASONS. Scores are on the common scales (1 to 10, NPS 0 to 10), times in ms.
"""

from typing import Final

from msgspec import Struct

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
REASONS: Final = ("overdue", "fading", "unhappy", "abandoned", "support", "payment", "leaving", "regress")
OVERDUE, FADING, UNHAPPY, ABANDONED, SUPPORT, PAYMENT, LEAVING, REGRESS = range(8)
WEIGHTS: Final = (0.2, 0.1, 0.15, 0.03, 0.1, 0.12, 0.25, 0.05)
END_DAYS: Final = (90, 90, 90, 14, 30, 30, 90, 90)


class SignalRules(Struct, frozen=True):
    """``weights`` add up to 1 at most, so that a person's score does. ``ends_ms``: after the last reason for it."""

    overdue_gaps: int = 3
    overdue_ms: int = 7 * DAY_MS
    overdue_visits: int = 3  # so many make a habit
    fading_visits: int = 8  # more than the four that are compared with the others
    csat_low: int = 4
    csat_good: int = 7
    ces_hard: int = 7
    ces_easy: int = 4
    nps_low: int = 6
    nps_good: int = 8
    ticket_ms: int = 48 * HOUR_MS
    tickets: int = 3
    tickets_ms: int = 30 * DAY_MS
    weights: tuple[float, ...] = WEIGHTS
    ends_ms: tuple[int, ...] = tuple(days * DAY_MS for days in END_DAYS)
