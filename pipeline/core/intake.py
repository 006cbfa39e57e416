"""The sessionizer's hop for one partition: records of ``hits`` in; sessions, evidence, rows, ledger out.

Every record has exactly one outcome (:class:`schemas.outcome.Outcome`). The order of the questions: can it be read
(else dead letter), is it known (duplicate), is it a bot's, is its event of a background kind, is it late; what is left
is put into a session. All of it depends on the partition's order of records only, never on how they are batched.

State of a visitor lives in ``states`` (key -> msgpack of :class:`Visitor`), that of the partition under ``META``.
What can be derived from them (timers, what waits to be said) is kept in memory and made anew by :meth:`Intake.restore`.
"""

from collections import Counter
from collections.abc import MutableMapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core import duplicates
from pipeline.core.channels import language
from pipeline.core.decode import Flaw, KnownHit, decode
from pipeline.core.devices import UNKNOWN
from pipeline.core.event_time import END_OF_TIME_MS, event_time, to_ms
from pipeline.core.goals import VIEWS
from pipeline.core.hit_columns import Columns, Judged, Read, columns_of, micros
from pipeline.core.ids import visitor_key
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.scores import metric_of, normalised_score
from pipeline.core.session import context_of, extend, of_one_hit
from pipeline.core.sessionizer import Said, Visitor, close, due, place, say_open, settle
from pipeline.core.timers import Timers
from pipeline.core.watermark import Watermark
from schemas.evidence import Evidence
from schemas.hit import ABSENT, MAX_HIT_BYTES, MAX_URL_CHARS, Hit
from schemas.outcome import DeadLetter, LedgerRow, Outcome, Reason
from schemas.topics import HITS

META = "\x00"  # no visitor's key: a site has at least one character


class Meta(Struct, array_like=True):
    """State of the partition beside its visitors. ``ledger``: site -> outcome -> hits since the beginning."""

    watermark: Watermark
    version: int = 0
    ledger: dict[str, dict[str, int]] = {}
    cut_urls: int = 0
    unknown_fields: int = 0


class Output(Struct):
    """What one unit of work says. ``blocks``: stored hits, as columns of ``schemas.rows.HIT_ROWS``; None: absent."""

    said: Said
    blocks: list[Columns] = []
    evidence: list[tuple[str, str, Evidence]] = []
    dead_letters: list[DeadLetter] = []
    outcomes: dict[tuple[str, Outcome], int] = {}  # (site, outcome) -> hits of this unit
    ledger: list[LedgerRow] = []
    watermark: int | None = None
    has_new_watermark: bool = False


_VIEW, _OTHER, _BACKGROUND = range(3)
_MAX_PAGES = 50_000  # about 200 bytes each
# The hot path counts and stores these as plain text: an enum's hash is a call.
_BOT, _IN_BACKGROUND, _LATE = Outcome.BOT.value, Outcome.BACKGROUND.value, Outcome.LATE.value
_SESSIONIZED = Outcome.SESSIONIZED.value
_encode = msgspec.msgpack.Encoder().encode
_decode_visitor = msgspec.msgpack.Decoder(Visitor).decode
_decode_meta = msgspec.msgpack.Decoder(Meta).decode


class Intake:
    """One partition of ``hits``. A unit of work is: any number of :meth:`take`, then one :meth:`finish`."""

    def __init__(self, rules: IntakeRules, states: MutableMapping[str, bytes], partition: int) -> None:
        self.rules = rules
        self.partition = partition
        self._states = states
        self._meta = Meta(Watermark(rules.out_of_orderness_ms))
        self._timers = Timers()
        self._unsaid: set[str] = set()
        self._said_at = 0
        self._told_watermark: int | None = None
        self._touched: dict[str, Visitor] = {}
        self._moved_timers: set[str] = set()
        self._pages: dict[tuple[str, str], tuple[int, bool]] = {}
        self._timeout_ms = rules.sessions.timeout_ms
        self._late_before = 0  # event time before which a hit is late
        self._remembered_since = 0  # event time before which hit_ids are forgotten, though still there
        self._output = Output(Said(1))

    def restore(self) -> None:
        """Take up the state again."""
        for key, value in self._states.items():
            if key == META:
                self._meta = _decode_meta(value)
                continue
            visitor = _decode_visitor(value)
            self._timers.add(key, due(visitor, self.rules.sessions))
            if any(session.closed is None for session in visitor.sessions):
                self._unsaid.add(key)
        self._meta.watermark.out_of_orderness_ms = self.rules.out_of_orderness_ms  # may have been set anew
        self._output = Output(Said(self._meta.version + 1))
        self._set_horizons()

    @property
    def watermark(self) -> int | None:
        """Of this partition, ms; None before the first hit."""
        return self._meta.watermark.value

    def take(self, values: Sequence[bytes], timestamps: Sequence[int], offsets: Sequence[int]) -> None:
        """Judge records of the topic, in order. ``timestamps``: when each was received, ms."""
        knows_received = not self.rules.bounded
        read: list[Read] = []
        for value, timestamp, offset in zip(values, timestamps, offsets, strict=True):
            hit = decode(value)
            if isinstance(hit, Flaw):
                self._dead_letter(hit, value, timestamp, offset)
                continue
            # When a recorded hit was received is not known if it tells only when it happened.
            received = None if hit.received_time is None else to_ms(hit.received_time)
            if received is None and (knows_received or hit.time is None):
                received = timestamp
            when = event_time(hit.time, hit.sent_time, received)
            if when is None:
                self._dead_letter(_no_time(hit, received), value, timestamp, offset)
                continue
            time, clamped = when
            read.append((hit, time, clamped, time if received is None else received, offset))
        judged = [one for one in map(self._judge, read) if one is not None]
        if judged:
            columns = columns_of(judged, self.partition)
            self._output.blocks.append(columns)
            for (site, outcome), hits in Counter(
                zip(columns["site"], columns["outcome"], strict=True)
            ).items():
                self._count(site, Outcome(outcome), hits)

    def finish(
        self, wall_ms: int, *, has_records: bool, is_caught_up: bool, is_final: bool = False
    ) -> Output:
        """End the unit: move the watermark on, close what is due, write the state back, and give what was said.

        ``is_final``: the input is bounded and ends here, every session closes.
        """
        mark = self._meta.watermark
        if has_records:
            mark.on_batch_end(wall_ms)
        elif is_caught_up:
            mark.on_idle(wall_ms)
        self._set_horizons()
        said = self._output.said
        if said.moved:
            settle(self.rules.sessions, said)
            self._follow_moves()
        for key in self._moved_timers:
            self._timers.add(key, due(self._touched[key], self.rules.sessions))
        self._moved_timers.clear()
        if is_final:
            self._close(self._timers.pop_all(), None)
        elif mark.value is not None and not self.rules.bounded:
            self._close(self._timers.pop(mark.value), mark.value)
        self._say_open(wall_ms)
        return self._end_unit()

    def _judge(self, read: Read) -> Judged | None:
        """The hot path of the whole pipeline: one call a hit, few calls below it. None for a duplicate."""
        hit, time, _, _, _ = read
        rules, output, mark = self.rules, self._output, self._meta.watermark
        if mark.max_event_ms is None or time > mark.max_event_ms:
            mark.on_event(time)
            self._set_horizons()
        if type(hit) is not KnownHit:
            self._meta.unknown_fields += 1
        site, event = hit.site, hit.event
        visitor_id, user_id = hit.visitor_id, hit.user_id or ""
        key = f"{site}\x1fv{visitor_id}" if visitor_id else visitor_key(site, "", user_id)
        visitor = self._touched.get(key)
        if visitor is None:
            visitor = self._load(key)
        if hit.hit_id and self._is_duplicate(visitor, hit.hit_id, time):
            self._count(site, Outcome.DUPLICATE)
            return None
        url, referrer = hit.url or "", hit.referrer or ""
        if len(url) > MAX_URL_CHARS or len(referrer) > MAX_URL_CHARS:
            hit.url, hit.referrer = url, referrer = self._cut(url), self._cut(referrer)
        page = self._pages.get((event, url))
        if page is None:
            page = self._page(event, url)
        kind, goal = page
        agent = hit.user_agent
        device = rules.classifier.device(agent) if agent else UNKNOWN
        traffic = rules.classifier.traffic(url, referrer, hit.channel or "", hit.campaign)
        session = ""
        if device.bot:
            outcome = _BOT
        elif kind == _BACKGROUND:
            outcome = _IN_BACKGROUND
        elif time < self._late_before:
            outcome = _LATE
        else:
            outcome = _SESSIONIZED
            revenue = micros(hit.revenue)
            last = visitor.sessions[-1] if visitor.sessions else None
            if (
                last is None
                or last.closed is not None
                or not last.start < time <= last.end + self._timeout_ms
            ):
                # Anything but one more hit of the newest session; this way is right for every hit.
                tag = language(hit.language) if hit.language else ""
                context = context_of((referrer, *traffic, *device[:3], hit.country or "", tag))
                last = of_one_hit(
                    time, url, context, user_id, is_view=kind == _VIEW, is_goal=goal, revenue=revenue
                )
                last = place(visitor, last, key, rules.sessions, output.said)
                self._moved_timers.add(key)
            else:
                extend(last, time, url, user_id, is_view=kind == _VIEW, is_goal=goal, revenue=revenue)
            session = last.session_id
        if not device.bot:
            self._note_evidence(hit, site, user_id or visitor_id or "", time, url, traffic[0], goal, session)
        return read, traffic, device, outcome, goal, session

    def _note_evidence(
        self, hit: Hit, site: str, person: str, time: int, url: str, channel: str, goal: bool, session: str
    ) -> None:
        props = None if hit.props is ABSENT else bytes(hit.props)
        score = None
        if hit.score is not None:
            score = normalised_score(metric_of(props), hit.score, hit.scale)
        touched = self.rules.models.touchpoint(hit.event, url, channel, goal, score, props)
        if touched:
            evidence = Evidence(time, touched, hit.event, url, channel, session, score)
            self._output.evidence.append((site, person, evidence))

    def _is_duplicate(self, visitor: Visitor, hit_id: str, time: int) -> bool:
        """Was this hit_id seen already? If not, it has been now."""
        id_digest = duplicates.digest(hit_id)
        window_ms = self.rules.sessions.dedupe_ms
        if visitor.seen and duplicates.is_known(
            visitor.seen, id_digest, time, window_ms, self._remembered_since
        ):
            return True
        visitor.seen = duplicates.remember(visitor.seen, id_digest, time)
        return False

    def _page(self, event: str, url: str) -> tuple[int, bool]:
        """Kind of the event, and whether it is a goal; remembered, since most hits repeat another's."""
        kind = _VIEW if event in VIEWS else _BACKGROUND if event in self.rules.background else _OTHER
        page = kind, self.rules.goals.matches(event, url)
        if len(self._pages) >= _MAX_PAGES:
            self._pages.clear()
        self._pages[event, url] = page
        return page

    def _set_horizons(self) -> None:
        """What depends on the watermark. Bounded input has none: nothing is late, no hit_id is forgotten."""
        rules, watermark = self.rules.sessions, self._meta.watermark.value
        if watermark is not None and rules.lateness_ms is not None:
            self._late_before = watermark - rules.lateness_ms
            self._remembered_since = watermark - rules.dedupe_ms

    def _load(self, key: str) -> Visitor:
        packed = self._states.get(key)
        if packed is None:
            self._moved_timers.add(key)
            visitor = Visitor()
        else:
            visitor = _decode_visitor(packed)
        self._touched[key] = visitor
        return visitor

    def _cut(self, url: str) -> str:
        if len(url) > MAX_URL_CHARS:
            self._meta.cut_urls += 1
            return url[:MAX_URL_CHARS]
        return url

    def _count(self, site: str, outcome: Outcome, hits: int = 1) -> None:
        outcomes = self._output.outcomes
        outcomes[site, outcome] = outcomes.get((site, outcome), 0) + hits

    def _dead_letter(self, flaw: Flaw, raw: bytes, timestamp: int, offset: int) -> None:
        self._count(flaw.site, Outcome.DEAD_LETTER)
        self._output.dead_letters.append(
            DeadLetter(
                topic=HITS.name,
                partition=self.partition,
                offset=offset,
                reason=flaw.reason,
                field=flaw.field,
                message=flaw.message,
                site=flaw.site,
                received_time=timestamp,
                raw=raw[:MAX_HIT_BYTES],
            )
        )

    def _follow_moves(self) -> None:
        """Hits of this unit whose session took another id later in the unit leave with the id it ended with."""
        output = self._output
        current = output.said.current_id
        for columns in output.blocks:
            columns["session_id"] = list(map(current, columns["session_id"]))
        output.evidence = [
            (site, person, replace(evidence, session_id=current(evidence.session_id)))
            for site, person, evidence in output.evidence
        ]

    def _close(self, keys: list[str], watermark: int | None) -> None:
        for key in keys:
            visitor = self._touched.get(key)
            if visitor is None:
                visitor = self._load(key)
                if not close(visitor, key, watermark, self.rules.sessions, self._output.said):
                    del self._touched[key]  # nothing changed, nothing to write
                    self._timers.add(key, due(visitor, self.rules.sessions))
                    continue
            else:
                close(visitor, key, watermark, self.rules.sessions, self._output.said)
            self._moved_timers.add(key)

    def _say_open(self, wall_ms: int) -> None:
        """Rows of the open sessions that changed, at most once an interval: a busy session is not said at each hit."""
        interval = self.rules.session_update_ms
        if interval is None:
            return
        self._unsaid.update(self._touched)
        if 0 <= wall_ms - self._said_at < interval:  # a clock that was set back holds nothing up
            return
        self._said_at = wall_ms
        for key in self._unsaid:
            visitor = self._touched.get(key)
            if visitor is None:
                packed = self._states.get(key)
                if packed is None:
                    continue
                visitor = _decode_visitor(packed)
            say_open(visitor, key, self.rules.sessions, self._output.said)
        self._unsaid.clear()

    def _end_unit(self) -> Output:
        meta, output, states = self._meta, self._output, self._states
        for key, visitor in self._touched.items():
            if visitor.sessions or visitor.seen:
                states[key] = _encode(visitor)
            else:
                states.pop(key, None)
        for key in self._moved_timers:
            self._timers.add(key, due(self._touched[key], self.rules.sessions))
        for (site, outcome), hits in output.outcomes.items():
            of_site = meta.ledger.setdefault(site, {})
            of_site[outcome] = of_site.get(outcome, 0) + hits
            row = LedgerRow(self.partition, site, Outcome(outcome), of_site[outcome], meta.version)
            output.ledger.append(row)
        if self._touched or output.outcomes or output.said.rows:
            meta.version += 1
            states[META] = _encode(meta)
        output.watermark = self.watermark
        output.has_new_watermark = output.watermark != self._told_watermark
        self._told_watermark = output.watermark
        self._touched, self._moved_timers = {}, set()
        self._output = Output(Said(meta.version + 1))
        return output


def _no_time(hit: Hit, received: int | None) -> Flaw:
    is_received_good = received is None or 0 <= received < END_OF_TIME_MS
    field = "time" if is_received_good else "received_time"
    return Flaw(Reason.BAD_VALUE, field, "no time between 1970 and 2100 can be made of it", hit.site)
