"""The sessionizer's hop for one partition: records of ``hits`` in; sessions, evidence, rows, ledger out.

Every record has exactly one outcome (:class:`schemas.outcome.Outcome`). The order of the questions: can it be read
(else dead letter), is it known (duplicate), is it a bot's, is its event of a background kind, is it late; what is left
is put into a session. All of it depends on the partition's order of records only, never on how they are batched.

A unit of work is judged column by column. State: the sessions (``session_table``, ``split_table``), the hit_ids, and
:class:`Meta`; :meth:`Intake.finish` gives entries for two journals, :meth:`Intake.restore` takes them up again.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.core.coded import Coded, combined, rows_at
from pipeline.core.duplicates import SeenIds
from pipeline.core.evidence import Matcher
from pipeline.core.hit_columns import (
    DEVICE,
    TRAFFIC,
    coded_columns,
    own_columns,
    person_ids,
    picked,
)
from pipeline.core.ids import SEPARATOR, visitor_key
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.intake_unit import Ids, Meta, Output, State, decode_ids, decode_state, encode
from pipeline.core.look import BACKGROUND, MOST_REMEMBERED, VIEW, Looks
from pipeline.core.numbers import numbered
from pipeline.core.persons.teller import Teller
from pipeline.core.plain_fields import digests_of
from pipeline.core.reading import Reading, Records, read
from pipeline.core.segments import hits_of
from pipeline.core.session import context_of
from pipeline.core.sessionizer import Said
from pipeline.core.slots import Array, Index
from pipeline.core.split_table import table_of
from pipeline.core.watermark import Watermark
from schemas.erasure import Erasure
from schemas.outcome import LedgerRow, Outcome

_NEVER = -(1 << 60)
_MINUTE_MS = 60_000
_NO_SLOT = -1
_SESSIONIZED, _IN_BACKGROUND, _LATE, _BOT = range(4)  # codes of these outcomes:
_OUTCOMES = (Outcome.SESSIONIZED.value, Outcome.BACKGROUND.value, Outcome.LATE.value, Outcome.BOT.value)


class Intake:
    """One partition of ``hits``. A unit of work is: any number of :meth:`take`, then one :meth:`finish`."""

    def __init__(self, rules: IntakeRules, partition: int, matcher: Matcher | None = None) -> None:
        """``matcher``: that of these rules, which the partitions of a process share."""
        self.rules = rules
        self.partition = partition
        self._meta = Meta(Watermark(rules.out_of_orderness_ms))
        self._table = table_of(rules.sessions, rules.sites)
        self._seen = SeenIds()
        self._ids: deque[tuple[int, int]] = deque()  # number and latest event time of each entry
        self._matcher = matcher or matcher_of(rules)
        self._looks = self._matcher.looks
        self._teller = Teller(self._looks)
        self._records = Records()
        self._erasures: list[Erasure] = []
        self._known_contexts: dict[str, str] = {}
        self._forgotten_until = 0
        self._said_at = 0
        self._told_watermark: int | None = None

    def restore(self, states: Iterable[tuple[int, bytes]], ids: Iterable[tuple[int, bytes]]) -> None:
        """Take up the entries of the journals again, with their numbers, oldest first."""

        def sessions() -> Iterator[tuple[int, bytes]]:
            for number, entry in states:
                state = decode_state(entry)
                self._meta = state.meta
                yield number, state.sessions

        self._table.restore(sessions())
        for number, entry in ids:
            found = decode_ids(entry)
            self._seen.add(np.frombuffer(found.digests, np.uint64), np.frombuffer(found.times, np.int64))
            self._ids.append((number, found.latest))
        self._meta.watermark.out_of_orderness_ms = self.rules.out_of_orderness_ms  # may have been set anew

    @property
    def watermark(self) -> int | None:
        """Of this partition, ms; None before the first hit."""
        return self._meta.watermark.value

    def erase(self, erasure: Erasure) -> None:
        """Forget the person in this unit of work. That nothing of them comes in any more is the caller's affair."""
        self._erasures.append(erasure)

    def take(self, values: Sequence[bytes], timestamps: Sequence[int], offsets: Sequence[int]) -> None:
        """Records of the topic, in order. ``timestamps``: when each was received, ms."""
        self._records = self._records.followed_by(values, timestamps, offsets)

    def finish(
        self,
        wall_ms: int,
        *,
        has_records: bool,
        is_caught_up: bool,
        is_final: bool = False,
        number: int = 0,
        ids_number: int = 0,
    ) -> Output:
        """Judge what was taken, move the watermark on, close what is due, and give what is to be said and stored.

        ``is_final``: the input is bounded and ends here, every session closes. ``number`` and ``ids_number``: those
        that the entries of the journals will get.
        """
        output = Output(Said(self._meta.version + 1))
        self._forget()
        for erasure in self._erasures:
            self._table.erase(erasure, output.said)
        self._erasures.clear()
        records, self._records = self._records, Records()
        if records.values:
            reading = read(records, self.partition, knows_received=not self.rules.bounded)
            output.dead_letters = reading.letters
            output.outcomes = dict(Counter((one.site, Outcome.DEAD_LETTER) for one in reading.letters))
            if len(reading):
                self._judge(reading, output, ids_number)
        mark = self._meta.watermark
        if has_records:
            mark.on_batch_end(wall_ms)
        elif is_caught_up:
            mark.on_idle(wall_ms)
        self._say_sessions(output, wall_ms, is_final=is_final)
        self._end_unit(output, number, ids_number, is_final=is_final)
        return output

    def _judge(self, reading: Reading, output: Output, ids_number: int) -> None:
        """The hot path of the whole pipeline."""
        rules, fields = self.rules, reading.fields
        output.unknown_fields = reading.unknown_fields
        output.cut_urls = reading.cut_urls
        marks = self._marks(reading.time)
        keys = _keys(fields)
        known = self._known(reading, keys, marks, output, ids_number)
        looks = self._looks
        if looks.trim():
            self._matcher.forget()
        pages = looks.page_codes(fields["event"], fields["url"], fields["site"])
        page, kind, is_goal, _ = pages
        device, is_bot = looks.device_codes(fields["user_agent"])
        traffic = looks.traffic_codes(page, fields["referrer"], fields["channel"], fields["campaign"])
        fields["language"] = looks.languages(fields["language"])
        fields["person_id"] = person_ids(fields["user_id"], fields["visitor_id"])
        outcome = np.full(len(reading), _SESSIONIZED)
        if rules.sessions.lateness_ms is not None:
            outcome[reading.time < marks - rules.sessions.lateness_ms] = _LATE
        outcome[kind == BACKGROUND] = _IN_BACKGROUND
        outcome[is_bot] = _BOT
        slots = np.full(len(reading), _NO_SLOT)
        placed = np.flatnonzero((outcome == _SESSIONIZED) & ~known)
        if len(placed):

            def contexts_of(rows: Index) -> Coded:
                return self._contexts(fields, traffic, device, placed[rows])

            hits = hits_of(reading, placed, keys, kind == VIEW, is_goal, contexts_of)
            slots[placed] = self._table.place(hits, output.said)
        stored = np.flatnonzero(~known)
        if not len(stored):
            return
        columns = own_columns(reading, self.partition)
        columns |= coded_columns(TRAFFIC, traffic, looks.traffics)
        columns |= coded_columns(DEVICE, device, looks.devices)
        first, session = numbered(slots)
        ids = self._table.ids(slots[first])
        columns |= {
            "outcome": Coded(outcome, _OUTCOMES),
            "goal": is_goal,
            "session_id": Coded(session, ids),
        }
        output.hits = columns if len(stored) == len(reading) else picked(columns, stored)
        people = stored[outcome[stored] != _BOT]
        output.evidence = self._matcher.match(reading, people, page, traffic, ids[session])
        output.touched = self._teller.tell(reading, stored, pages, traffic, outcome == _SESSIONIZED, is_bot)
        ends = combined(fields["site"].at(stored), Coded(outcome[stored], _OUTCOMES))
        for (site, name), count in zip(ends.values, np.bincount(ends.codes).tolist(), strict=True):
            output.outcomes[site, Outcome(name)] = count

    def _marks(self, time: Index) -> Index:
        """The watermark after each of these hits."""
        mark = self._meta.watermark
        before = _NEVER if mark.value is None else mark.value
        mark.on_event(int(time.max()))
        seen: Index = np.maximum.accumulate(time) - mark.out_of_orderness_ms
        return np.maximum(seen, before)

    def _known(self, reading: Reading, keys: Coded, marks: Index, output: Output, ids_number: int) -> Array:
        """Which hits are duplicates; counts them."""
        known = np.zeros(len(reading), np.bool_)
        hit_ids = reading.fields["hit_id"]
        if all(hit_ids):
            named = np.arange(len(hit_ids))
        else:
            named = np.flatnonzero(np.fromiter(map(bool, hit_ids), np.bool_, len(hit_ids)))
            keys, hit_ids = keys.at(named), rows_at(hit_ids, named)
        if not len(named):
            return known
        digests = digests_of(keys, hit_ids)
        window_ms = self.rules.sessions.dedupe_ms
        time = reading.time[named]
        since = np.full(len(named), _NEVER) if self.rules.bounded else marks[named] - window_ms
        repeats = self._seen.take(digests, time, window_ms, since)
        known[named] = repeats
        for site, count in Counter(reading.fields["site"].at(known)).items():
            output.outcomes[site, Outcome.DUPLICATE] = count
        if not repeats.all():
            time = time[~repeats]
            latest = int(time.max())
            output.ids = encode(Ids(latest, digests[~repeats].tobytes(), time.tobytes()))
            self._ids.append((ids_number, latest))
        return known

    def _contexts(self, fields: dict[str, Any], traffic: Index, device: Index, rows: Index) -> Coded:
        """What sessions take from these hits, their first ones."""
        if len(self._known_contexts) >= MOST_REMEMBERED:
            self._known_contexts.clear()
        parts = (
            fields["referrer"].at(rows).compact().map(lambda referrer: context_of((referrer,))),
            Coded(traffic[rows], self._looks.traffics).compact().map(context_of),
            Coded(device[rows], self._looks.devices).compact().map(lambda device: context_of(device[:3])),
            fields["country"].at(rows).compact().map(lambda country: context_of((country or "",))),
            fields["language"].at(rows).compact().map(lambda language: context_of((language,))),
        )
        known = self._known_contexts
        return combined(*parts).map(lambda one: known.setdefault(context := SEPARATOR.join(one), context))

    def _say_sessions(self, output: Output, wall_ms: int, *, is_final: bool) -> None:
        """Close and forget what is due; rows of closed sessions, and of open ones once an interval."""
        rules, mark, said = self.rules, self._meta.watermark.value, output.said
        told = [np.array(said.slots, np.int64)]
        if is_final:
            told.append(self._table.close(None, said))
        elif mark is not None and rules.sessions.lateness_ms is not None:
            told.append(self._table.close(mark, said))
        interval = rules.session_update_ms
        # A clock that was set back holds nothing up.
        if interval is not None and not 0 <= wall_ms - self._said_at < interval:
            self._said_at = wall_ms
            told.append(self._table.unsaid())
        output.touched.closed, output.touched.sessions = said.closed, said.told
        output.sessions = self._table.rows(np.unique(np.concatenate(told)), said.version)

    def _forget(self) -> None:
        """Sessions that nothing on time can reach, and hit_ids that are too old: now and then those themselves, at
        once the journal's entries in which all are.
        """
        rules, mark = self.rules.sessions, self._meta.watermark.value
        if mark is None or rules.lateness_ms is None:
            return
        self._table.forget(mark - rules.lateness_ms)
        before = mark - rules.dedupe_ms
        while self._ids and self._ids[0][1] < before:
            self._ids.popleft()
        if before > self._forgotten_until + rules.dedupe_ms // 16:
            self._forgotten_until = before
            self._seen.forget(before)

    def _end_unit(self, output: Output, number: int, ids_number: int, *, is_final: bool) -> None:
        meta = self._meta
        for (site, outcome), hits in output.outcomes.items():
            of_site = meta.ledger.setdefault(site, {})
            of_site[outcome] = of_site.get(outcome, 0) + hits
            output.ledger.append(LedgerRow(self.partition, site, outcome, of_site[outcome], meta.version))
        if self._table.slots.has_changes or output.outcomes:
            meta.version += 1
            sessions, output.needed = self._table.slots.changes(number)
            output.state = encode(State(meta, sessions))
        output.ids_needed = self._ids[0][0] if self._ids else ids_number
        output.watermark = self.watermark
        told, self._told_watermark = self._told_watermark, output.watermark
        output.has_new_watermark = output.watermark != told
        minutes = [-1 if time is None else time // _MINUTE_MS for time in (told, output.watermark)]
        output.has_new_minute = is_final or minutes[0] != minutes[1]


def matcher_of(rules: IntakeRules) -> Matcher:
    """Asks all that these rules say of a hit's words, once for each."""
    looks = Looks(rules.goals, rules.classifier, rules.background, rules.notables, rules.sites)
    return Matcher(rules.models, looks)


def _keys(fields: dict[str, Any]) -> Coded:
    """Whose session each hit belongs to."""
    ids = combined(fields["site"], fields["visitor_id"], fields["user_id"])
    return ids.map(lambda one: visitor_key(*one)).distinct()
