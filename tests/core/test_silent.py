"""Persons beyond the limit: packed and back as they were, due in time, forgotten; that nothing shows is a property of
test_journeys_persons.
"""

from pathlib import Path

from journey_kit import DAY, NOON, Person, message, transitions_of

from pipeline.core.evidence import only_owners, only_time
from pipeline.core.homes import AWAY
from pipeline.core.journeys import Journeys
from pipeline.core.models import load
from pipeline.model_files import builtin_texts
from pipeline.transport.rows import Cold, Rows
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Transition

MODELS = load(builtin_texts())
PERSON = Person(MODELS)
LAPSE = 30 * DAY  # of the model with the shortest, buyer3


def key(name: str) -> str:
    return f"shop\x1f{name}"


def seen(event: str = "page_view", day: float = 0, url: str = "/blog/x") -> Evidence:
    return PERSON.did(event, url, NOON + round(day * DAY), session_id="0123456789abcdef" * 2)


class Running:
    """One core that runs on, at most ``most`` persons in its columns; its journal's entries are kept."""

    def __init__(self, directory: Path, most: int) -> None:
        self.states = Rows(Cold(directory, 0), is_timed=True)
        self.most = most
        self.entries: list[tuple[int, bytes]] = []
        self.core = self.made()

    def made(self) -> Journeys:
        core = Journeys(MODELS)
        core.restore(self.entries)
        core.silent.use(self.states, self.states.due, self.most)
        return core

    def take(self, *messages: EvidenceBatch) -> list[Transition]:
        output = self.core.take(messages, 1, len(self.entries))
        self.states.settle()
        self.entries.append((len(self.entries), output.state))
        return transitions_of(output)

    @property
    def columns(self) -> set[str]:
        return set(self.core._table.slot_of)


def test_up_to_the_limit_all_stay_and_one_more_leaves(tmp_path: Path) -> None:
    running = Running(tmp_path, 2)
    for name in "ab":
        running.take(message(key(name), [seen()]))
    assert (running.columns, len(running.states)) == ({key("a"), key("b")}, 0)
    running.take(message(key("c"), [seen()]))
    assert (len(running.columns), len(running.states)) == (2, 1)
    assert running.columns | set(running.states) == {key("a"), key("b"), key("c")}


def test_who_is_heard_of_stays_among_many_who_are_not(tmp_path: Path) -> None:
    running = Running(tmp_path, 3)
    running.take(message(key("busy"), [seen()]))
    for number in range(50):
        running.take(
            message(key(f"{number}"), [seen()]), message(key("busy"), [seen(day=number / 100 + 0.001)])
        )
        assert key("busy") in running.columns
    assert len(running.columns) == 3


def test_a_person_comes_back_as_they_were_also_after_a_restart(tmp_path: Path) -> None:
    running, roomy = Running(tmp_path, 0), Running(tmp_path, 9)
    days = [("page_view", 0.0), ("purchase", 1.0), ("login", 0.5), ("view_item", 2.0)]
    for event, day in days:
        running.core = running.made()
        assert running.columns == set(), "all are packed"
        for one in (running, roomy):
            one.take(message(key("a"), [seen(event, day)]))
    running.core.silent.wake([message(key("a"), [])])
    table, other = running.core._table, roomy.core._table
    (at,), (there,) = table.slot_of.values(), other.slot_of.values()
    assert table.state(at) == other.state(there)
    assert table.history(at) == other.history(there)
    assert len(table.history(at)) == 4
    assert len(running.states) == 0


def test_a_packed_journey_lapses_to_the_minute_and_is_not_woken_before(
    tmp_path: Path,
) -> None:
    running = Running(tmp_path, 0)
    running.take(message(key("a"), [seen()]), message(key("b"), [seen(day=5)]))
    assert running.take(only_time(0, NOON + LAPSE)) == []
    assert running.states.due(NOON + LAPSE) == []
    assert running.states.due(NOON + LAPSE + 1) == [key("a")]
    said = running.take(only_time(0, NOON + LAPSE + 60_000))
    assert {(row.person_id, row.kind, row.time) for row in said} == {("a", "lapse", NOON + LAPSE)}
    running.take(only_time(0, NOON + 4_000 * DAY))
    assert running.states.due(1 << 62) == [], "nothing is left to happen to anybody"
    assert len(running.states) == 2


def test_more_who_are_due_than_may_be_in_memory(tmp_path: Path) -> None:
    running = Running(tmp_path, 10)
    for number in range(300):
        running.take(message(key(f"{number}"), [seen()]))
    said = running.take(only_time(0, NOON + 4_000 * DAY))
    assert len({row.person_id for row in said if row.kind == "lapse"}) == 300
    assert len(running.columns) == 10


def test_owners_are_known_of_those_who_are_packed_and_not_in_memory(tmp_path: Path) -> None:
    running = Running(tmp_path, 0)
    owned = ((NOON,), ("ann",))
    running.take(message(key("phone"), [seen()]))
    running.take(only_owners([(key("phone"), *map(list, owned))]))  # type: ignore[arg-type]
    assert running.core.owners == {key("phone"): owned}
    assert key("phone") not in running.core._homes
    assert AWAY + key("phone") in running.states
    running.take(message(key("phone"), [seen(day=1)]))
    assert len(running.core.silent.owners()) == 1


def test_after_a_restart_nobody_inherits_from_who_has_left(tmp_path: Path) -> None:
    running = Running(tmp_path, 2)
    running.take(message(key("phone"), [seen()]))
    running.take(only_owners([(key("phone"), [NOON], ["ann"])]))
    running.take(message(key("a"), [seen()]), message(key("b"), [seen()]))
    assert running.columns == {key("a"), key("b")}
    running.most = 9
    running.core = running.made()
    running.take(*(message(key(name), [seen(day=1)]) for name in "cd"))
    assert running.core.owners == {key("phone"): ((NOON,), ("ann",))}
    running.core = running.made()
    again = [message(key(name), [seen(day=2)]) for name in "cd"]
    assert running.core.take(again, 1, len(running.entries)).passed == [], "theirs are nobody else's"


def test_who_is_packed_is_erased_with_what_is_away(tmp_path: Path) -> None:
    running = Running(tmp_path, 0)
    running.take(message(key("phone"), [seen()]), message(key("b"), [seen()]))
    running.take(only_owners([(key("phone"), [NOON], ["ann"])]))
    state, _ = running.core.erase([key("phone"), key("nobody")], 9)
    running.states.settle()
    assert set(running.states) == {key("b")}
    assert b"phone" not in state
