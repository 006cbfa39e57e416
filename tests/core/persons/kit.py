"""Partitions of persons that talk to each other, and the naive answer: everything put in its place, then one fold."""

import random
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.persons.attribution import attribute
from pipeline.core.persons.fold import BEFORE_ALL, Items, Touches, change_items, let_time_pass
from pipeline.core.persons.identity import Links, link, owner_at, owners, say
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.people import People, PersonRules, Said
from pipeline.core.persons.sending import messages_of
from pipeline.core.persons.signal_rules import REASONS
from pipeline.transport.rows import Cold, Rows
from schemas.touchpoint import OWN, HitColumns, LinkColumns, SessionColumns, Touch, Touchpoints, WordColumns

SITE = "shop"
DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000


class Seen(NamedTuple):
    """What happened under one id: a visit, a note, a link (value: user, time) or a word (user, time, unlinked)."""

    an_id: str
    what: Any


def key(an_id: str) -> str:
    return f"{SITE}{SEPARATOR}{an_id}"


def visit(
    start: int, minutes: float = 5, *, channel: str = "direct", known: bool = False, name: str = "",
    goal_time: int = OWN,
) -> Visit:  # fmt: skip
    return Visit(start + round(minutes * MINUTE), start, name or f"s{start}", channel, known, goal_time)


def note(
    kind: Touch, time: int, *, amount: int = 0, text: str = "", goal: bool | None = None, known: bool = False,
    event: str = "", channel: str = "direct", in_session: bool = False,
) -> Note:  # fmt: skip
    is_goal = kind in (Touch.ORDER, Touch.GOAL) if goal is None else goal
    event = event or kind.name.lower()
    currency = "EUR" if amount else ""
    return Note(time, int(kind), event, text, amount, currency, channel, is_goal, in_session, known)


def touchpoints(
    seen: Sequence[Seen],
    *,
    source: str = "sessionizer-0",
    watermark: int | None = None,
    gone: Sequence[Seen] = (),
) -> Touchpoints:
    """A message; ``gone``: visits that are taken back, before all else."""
    sessions, hits, links, words = SessionColumns(), HitColumns(), LinkColumns(), WordColumns()
    signed = [(one, -1) for one in gone] + [(one, 1) for one in seen]
    for (an_id, what), sign in signed:
        if isinstance(what, Visit):
            row: tuple[Any, ...] = (
                key(an_id), what.known, what.session_id, what.start, what.end, what.channel, sign, what.goal_time
            )  # fmt: skip
            put(sessions, row)
        elif isinstance(what, Note):
            n = what
            put(
                hits,
                (
                    key(an_id),
                    n.known,
                    n.time,
                    n.kind,
                    n.goal,
                    n.in_session,
                    n.event,
                    n.channel,
                    n.amount,
                    n.currency,
                    n.text,
                    sign,
                ),
            )
        elif len(what) == 2:
            put(links, (key(an_id), *what))
        else:
            put(words, (key(an_id), *what))
    return Touchpoints(source, watermark, sessions, hits, links, words=words)


def put(columns: msgspec.Struct, row: tuple[Any, ...]) -> None:
    for name, value in zip(columns.__struct_fields__, row, strict=True):
        getattr(columns, name).append(value)


class Net:
    """Some partitions of persons; what they send each other is delivered in order between any two of them."""

    def __init__(
        self,
        partitions: int = 1,
        rules: PersonRules | None = None,
        *,
        seed: int = 0,
        cold: Cold | None = None,
    ) -> None:
        self.rules = rules or PersonRules()
        self.cold = cold
        self.states = [Rows(cold, is_timed=True) for _ in range(partitions)]
        self.people = [People(self.rules, state, state.due) for state in self.states]
        self.waiting: dict[tuple[str, int], deque[Touchpoints]] = defaultdict(deque)
        self.rows: dict[str, dict[tuple[Any, ...], Any]] = {"signals": {}, "credits": {}}
        self.links: dict[str, list[tuple[str, int]]] = {}
        self.risks: dict[str, int] = defaultdict(int)
        self.raised: dict[str, int] = defaultdict(int)
        self.measures: dict[tuple[str, int], list[int]] = {}
        self.owners: dict[str, Any] = {}
        self.missed = 0
        self.rng = random.Random(seed)

    def tell(self, message: Touchpoints) -> None:
        """From the sessionizer: each id's rows to its partition, the watermark to all."""
        by_target = split(message, len(self.people))
        for target in range(len(self.people)):
            self.waiting[message.source, target].append(by_target[target])

    def run(self, *, most: int = 3) -> None:
        """Deliver all that waits, in some order, several messages to a unit of work."""
        while True:
            ready = sorted(channel for channel, queue in self.waiting.items() if queue)
            if not ready:
                return
            source, target = self.rng.choice(ready)
            queue = self.waiting[source, target]
            unit = [queue.popleft() for _ in range(min(len(queue), self.rng.randint(1, most)))]
            self.people[target].take(unit)
            self._heard(target, self.people[target].finish())
            self.states[target].settle()

    def end(self) -> None:
        """Of bounded input."""
        for target, people in enumerate(self.people):
            self._heard(target, people.finish(is_final=True))

    def restart(self, target: int) -> None:
        """The partition is lost and comes back from its state."""
        state, before = Rows(self.cold, is_timed=True), self.states[target]
        state.load(dict(before).items())
        state.loaded()
        self.states[target] = state
        self.people[target] = People(self.rules, state, state.due)
        self.people[target].restore(state.in_memory())

    def _heard(self, source: int, said: Said) -> None:
        for target, message in messages_of(said, f"persons-{source}", len(self.people)):
            self.waiting[message.source, target].append(
                msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=Touchpoints)
            )
        for signal in said.signals:
            name = (signal.person_id, signal.reason, signal.time, signal.ordinal)
            self._put("signals", name, signal, (signal.state, signal.score))
        for row in said.credits:
            name = (row.person_id, row.time, row.event, row.order_id, row.copy, row.touch_number)
            values = msgspec.structs.astuple(row)[7:-2]
            self._put("credits", name, row, values)
        for link_row in said.links:
            self.links[link_row.visitor_id] = list(zip(link_row.users, link_row.since, strict=True))
        for risk in said.risks:
            self.risks[risk.reason] += risk.persons
            self.raised[risk.reason] += risk.raised
        for measure in said.measures:
            sums = self.measures.setdefault((measure.name, measure.time), [0] * len(measure.sums))
            for at, one in enumerate(measure.sums):
                sums[at] += one
        self.owners |= said.owners
        self.missed += said.missed

    def _put(self, table: str, name: tuple[Any, ...], row: Any, values: Any) -> None:
        if row.withdrawn:
            assert name in self.rows[table], "withdrawn without having been said"
            del self.rows[table][name]
        else:
            self.rows[table][name] = values


def split(message: Touchpoints, partitions: int) -> list[Touchpoints]:
    found = [Touchpoints(message.source, message.watermark) for _ in range(partitions)]
    for table in ("sessions", "hits", "links", "words"):
        columns = getattr(message, table)
        for row in zip(*(getattr(columns, name) for name in columns.__struct_fields__), strict=True):
            put(getattr(found[partition_of(row[0], partitions)], table), row)
    return found


def naive(
    seen: Sequence[Seen], rules: PersonRules, watermark: int
) -> tuple[dict[tuple[Any, ...], Any], dict[tuple[Any, ...], Any]]:
    """Signals and credits as :class:`Net` has them at the end, of everything at once."""
    links: dict[str, Links] = defaultdict(Links)
    for an_id, what in seen:
        if isinstance(what, tuple) and what[0] != an_id:
            if len(what) == 2:
                link(links[an_id], *what)
            else:
                say(links[an_id], what[0], what[1], is_unlinked=what[2])
    persons: dict[str, Touches] = defaultdict(lambda: Touches([], []))
    for an_id, what in seen:
        if isinstance(what, Visit | Note):
            time = what.owned_at if isinstance(what, Visit) else what.time
            owner = an_id if what.known else owner_at(owners(links[an_id]), time) or an_id
            one = msgspec.structs.replace(what, known=True)
            (persons[owner].visits if isinstance(one, Visit) else persons[owner].notes).append(one)  # type: ignore[arg-type]
    signals, shared = {}, {}
    for person, touches in persons.items():
        items = Items()
        steps = change_items(rules.signals, items, touches, Touches([], []), BEFORE_ALL).steps
        ended = watermark + rules.out_of_orderness_ms + rules.signals.timeout_ms + 1
        steps += let_time_pass(rules.signals, items, ended)
        for step in steps:
            name = (person, REASONS[step.reason], step.time, step.ordinal)
            signals[name] = (step.state, rules.signals.weights[step.reason])
        for credit in attribute(sorted(touches.notes), touches.visits, -(1 << 62), 1 << 62):
            flat = (*credit[5:-2], *credit.credits, *credit.shares)
            shared[(person, *credit[:5])] = flat
    return signals, shared
