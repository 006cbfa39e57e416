"""A few visits with nothing notable and no long silence between them: the fold over them says nothing for a while."""

from collections.abc import Sequence
from typing import Final

from pipeline.core.persons.items import Visit
from pipeline.core.persons.signal_rules import SignalRules
from pipeline.core.persons.signals import SETTLE_MS
from schemas.touchpoint import OWN

_MOST: Final = 20  # visits that are looked at again whenever one more comes


def is_quiet(rules: SignalRules, visits: Sequence[Visit]) -> bool:
    """Does the fold over these visits, in order, say nothing before :func:`quiet_until`, whatever its averages are?"""
    if len(visits) >= min(rules.fading_visits, _MOST):
        return False
    end = None
    for number, visit in enumerate(visits):
        if visit.goal_time != OWN:
            return False
        if end is not None and number >= rules.overdue_visits and visit.start - end > rules.overdue_ms:
            return False
        end = visit.end
    return True


def quiet_until(rules: SignalRules, visits: Sequence[Visit]) -> int | None:
    """The watermark before which the silence after quiet visits is not too long; None: it never is."""
    if len(visits) < rules.overdue_visits:
        return None
    return visits[-1].end + rules.overdue_ms + SETTLE_MS + 1
