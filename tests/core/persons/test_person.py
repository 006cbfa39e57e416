"""One id: the boundary of what it keeps of what it has passed on."""

import pytest

from pipeline.core.persons import person
from pipeline.core.persons.fold import BEFORE_ALL
from pipeline.core.persons.signal_rules import SignalRules
from schemas.touchpoint import Touch
from tests.core.persons.kit import DAY, note, visit


def test_what_ends_at_the_cut_is_settled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "MAX_ITEMS", 4)
    one, rules = person.Person(), SignalRules()
    person.receive(rules, one, person.News(links={"ann": 0}), BEFORE_ALL, 1)
    visits = [visit(day * DAY) for day in range(4)]
    news = person.News(visits=visits, notes=[note(Touch.NPS, visits[2].end)])
    person.receive(rules, one, news, BEFORE_ALL, 1)
    assert one.away == person.Away([visits[3]], [], visits[2].end)
