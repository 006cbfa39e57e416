"""What the partitions of persons tell each other, as messages: what is passed on, claims and answers, by partition."""

from collections.abc import Iterable, Iterator

from pipeline.core.ids import partition_of
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.people import Said
from schemas.touchpoint import HitColumns, SessionColumns, Touch, Touchpoints


def messages_of(said: Said, source: str, partitions: int) -> Iterator[tuple[int, Touchpoints]]:
    """A message for each partition that is told anything."""
    found: dict[int, Touchpoints] = {}

    def to(key: str) -> Touchpoints:
        target = partition_of(key, partitions)
        if target not in found:
            found[target] = Touchpoints(source, None, is_passed_on=True)
        return found[target]

    for key, one, sign in said.passed:
        if isinstance(one, Visit):
            _put_visit(to(key).sessions, key, one, sign)
        else:
            _put_note(to(key).hits, key, one, sign)
    for key, visitor, since in said.claims:
        claims = to(key).claims
        claims.key.append(key)
        claims.visitor_id.append(visitor)
        claims.since.append(since)
    for key, user, is_refused in said.answers:
        answers = to(key).answers
        answers.key.append(key)
        answers.user_id.append(user)
        answers.is_refused.append(is_refused)
    yield from found.items()


def regressions(
    regressed: Iterable[tuple[str, str, int, int]], source: str, partitions: int
) -> Iterator[tuple[int, Touchpoints]]:
    """Of the journeys: (key, model, time, sign) of persons who moved back a stage, or did not after all."""
    found: dict[int, Touchpoints] = {}
    for key, model, time, sign in regressed:
        target = partition_of(key, partitions)
        message = found.setdefault(target, Touchpoints(source, None, is_passed_on=True))
        note = Note(time, Touch.REGRESSED, "regress", model, 0, "", "", False, False, True)
        _put_note(message.hits, key, note, sign)
    yield from found.items()


def _put_visit(table: SessionColumns, key: str, visit: Visit, sign: int) -> None:
    table.key.append(key)
    table.known.append(True)
    table.session_id.append(visit.session_id)
    table.start.append(visit.start)
    table.end.append(visit.end)
    table.channel.append(visit.channel)
    table.sign.append(sign)
    table.goal_time.append(visit.goal_time)


def _put_note(table: HitColumns, key: str, note: Note, sign: int) -> None:
    table.key.append(key)
    table.known.append(True)
    table.time.append(note.time)
    table.kind.append(note.kind)
    table.goal.append(note.goal)
    table.in_session.append(note.in_session)
    table.event.append(note.event)
    table.channel.append(note.channel)
    table.amount.append(note.amount)
    table.currency.append(note.currency)
    table.text.append(note.text)
    table.sign.append(sign)
