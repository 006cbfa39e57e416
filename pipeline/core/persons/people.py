"""The hop of persons for one partition: touchpoints in; signals, credits, links, messages to other ids and facts out.

State of an id lives in ``states`` (key -> msgpack of :class:`Person`), that of the partition under ``META``. Timers are
derived from it and made anew by :meth:`People.restore`; those of states that were on disk then, or went there, the
owner of the states knows (``due``). Time is the least watermark of the sources that have seen a hit. Bounded input
lets no time pass before its end, since its sessions close only then; what the run before it has let pass, has passed.
At its end time is when the last session has closed by the greatest watermark: then all is known, and the same however
the input was partitioned.
"""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.core.ids import SEPARATOR
from pipeline.core.persons import emails
from pipeline.core.persons.attribution import Credit
from pipeline.core.persons.fold import Change, add_visits, due_at, let_time_pass
from pipeline.core.persons.identity import MOST_VISITORS, Owners
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.news import gather
from pipeline.core.persons.person import News, Outcome, Person, receive
from pipeline.core.persons.signal_rules import REASONS, SignalRules
from pipeline.core.persons.signals import BEFORE_ALL, Step
from pipeline.core.timers import Timers
from schemas.counter import Measure, RiskFact
from schemas.person import AttributionRow, LinkRow
from schemas.signal import Signal
from schemas.touchpoint import Touchpoints

META: Final = "\x00"  # no id's key: a site has at least one character
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Person).decode


class _Meta(Struct, array_like=True):
    version: int = 0
    passed: int = BEFORE_ALL  # the watermark up to which timers have been fired
    sources: dict[str, int] = {}


class _Due(Struct, array_like=True, gc=False):
    due: int | None


_decode_meta = msgspec.msgpack.Decoder(_Meta).decode
_decode_due = msgspec.msgpack.Decoder(_Due).decode


class PersonRules(NamedTuple):
    """``most_visitors``: of one user. ``out_of_orderness_ms``: so far are watermarks behind the latest hits."""

    signals: SignalRules = SignalRules()
    most_visitors: int = MOST_VISITORS
    bounded: bool = False
    out_of_orderness_ms: int = 10_000


class Said(Struct):
    """What one unit of work says. Keys are site, 0x1F and id.

    ``passed``: (key of the user, visit or note, sign). ``claims``: (key of the user, visitor, since). ``answers``: (key
    of the visitor, user, is refused). ``owners``: visitor's key -> its owners now. ``refused``: how many answers say
    so. ``missed``: visits and notes that were left out.
    """

    version: int
    signals: list[Signal] = []
    credits: list[AttributionRow] = []
    links: list[LinkRow] = []
    passed: list[tuple[str, Visit | Note, int]] = []
    claims: list[tuple[str, str, int]] = []
    answers: list[tuple[str, str, bool]] = []
    owners: dict[str, Owners] = {}
    measures: list[Measure] = []
    risks: list[RiskFact] = []
    refused: int = 0
    missed: int = 0


class People:
    """One partition of touchpoints. A unit of work is one :meth:`take` and one :meth:`finish`. ``due``: (until, ms) ->
    keys of states that have a timer, but for those that are given to :meth:`restore` or were made since.
    """

    def __init__(
        self,
        rules: PersonRules,
        states: MutableMapping[str, bytes],
        due: Callable[[int], Iterable[str]] = lambda _until: (),
    ) -> None:
        self._rules = rules
        self._states = states
        self._due = due
        self._meta = _Meta()
        self._timers = Timers()
        self._touched: dict[str, Person] = {}
        self._said = Said(1)

    def restore(self, states: Iterable[tuple[str, bytes]] | None = None) -> None:
        """Take up the state again. ``states``: those whose timers ``due`` does not know; None: all."""
        meta = self._states.get(META)
        if meta is not None:
            self._meta = _decode_meta(meta)
        for key, packed in self._states.items() if states is None else states:
            if key != META:
                self._timers.add(key, _decode_due(packed).due)
        self._said = Said(self._meta.version + 1)

    @property
    def watermark(self) -> int | None:
        """How far time has come, ms; None before the first hit."""
        return min(self._meta.sources.values(), default=None)

    def erase(self, keys: Iterable[str]) -> None:
        """Forget these persons, between two units; they are no longer at risk of leaving."""
        for key in keys:
            packed = self._states.pop(key, None)
            if packed is not None:
                site = key.partition(SEPARATOR)[0]
                for reason in _raised(_decode(packed)):
                    self._said.risks.append(RiskFact(site, REASONS[reason], -1, 0))

    def take(self, messages: Iterable[Touchpoints]) -> None:
        """Take in the touchpoints of the unit."""
        messages = list(messages)
        sources = self._meta.sources
        for message in messages:
            if message.watermark is not None:
                known = sources.get(message.source, message.watermark)
                sources[message.source] = max(known, message.watermark)
        gathered = gather(messages)
        self._said.measures = gathered.measures
        for key, visits in gathered.visits.items():
            person = self._load(key)
            if person.links is not None or not add_visits(self._rules.signals, person.items, visits):
                gathered.news.setdefault(key, News()).visits = visits
        for key, news in gathered.news.items():
            self._receive(key, news)

    def finish(self, *, is_final: bool = False) -> Said:
        """End the unit: let time pass, write the state back, and give what was said. ``is_final``: input ends here."""
        meta, rules, signals = self._meta, self._rules, self._rules.signals
        watermark = self.watermark
        if is_final and watermark is not None:
            watermark = max(meta.sources.values()) + rules.out_of_orderness_ms + signals.timeout_ms + 1
        for key, person in self._touched.items():
            person.due = due_at(signals, person.items)
            self._timers.add(key, person.due)
        if watermark is not None and (is_final or not rules.bounded):
            meta.passed = max(meta.passed, watermark)
        if meta.passed > BEFORE_ALL:  # in bounded input: by the run before
            for key in dict.fromkeys((*self._timers.pop(meta.passed), *self._due(meta.passed))):
                is_known = key in self._touched or key in self._states  # not one who was erased
                if is_known and key != META:
                    self._fire(key, meta.passed)
        for key, person in self._touched.items():
            self._states[key] = _encode(person)
        said = self._said
        meta.version = said.version
        self._states[META] = _encode(meta)
        self._touched, self._said = {}, Said(meta.version + 1)
        return said

    def _load(self, key: str) -> Person:
        person = self._touched.get(key)
        if person is None:
            packed = self._states.get(key)
            person = self._touched[key] = Person() if packed is None else _decode(packed)
        return person

    def _receive(self, key: str, news: News) -> None:
        person = self._load(key)
        rules = self._rules
        before = _raised(person)
        outcome = receive(rules.signals, person, news, self._meta.passed, rules.most_visitors)
        site, _, an_id = key.partition(SEPARATOR)
        change = outcome.change
        self._said.missed += change.missed
        if news.emails:
            for message, kind, time in news.emails:
                sums = emails.take(person.emails, message, kind, time)
                self._said.measures += [Measure(site, "email", at, one) for at, one in sums]
        if change.steps or change.steps_gone or change.credits or change.credits_gone:
            self._say(site, an_id, change)
            self._count_risks(site, before, _raised(person), change)
        if outcome.passed or outcome.claims or outcome.told or outcome.owners:
            self._pass_on(key, site, an_id, outcome)

    def _fire(self, key: str, watermark: int) -> None:
        person = self._load(key)
        before = _raised(person)
        change = Change(let_time_pass(self._rules.signals, person.items, watermark))
        person.due = due_at(self._rules.signals, person.items)
        self._timers.add(key, person.due)
        site, _, an_id = key.partition(SEPARATOR)
        self._say(site, an_id, change)
        self._count_risks(site, before, _raised(person), change)

    def _say(self, site: str, person_id: str, change: Change) -> None:
        said = self._said
        held = {(step.reason, step.time, step.ordinal) for step in change.steps}
        for step in change.steps_gone:
            if (step.reason, step.time, step.ordinal) not in held:
                said.signals.append(self._signal(site, person_id, step, withdrawn=True))
        said.signals += [self._signal(site, person_id, step, withdrawn=False) for step in change.steps]
        names = {credit[:5] for credit in change.credits}
        for credit in change.credits_gone:
            if credit[:5] not in names:
                said.credits.append(credit_row(site, person_id, credit, said.version, withdrawn=True))
        said.credits += [
            credit_row(site, person_id, credit, said.version, withdrawn=False) for credit in change.credits
        ]

    def _signal(self, site: str, person_id: str, step: Step, *, withdrawn: bool) -> Signal:
        weight = self._rules.signals.weights[step.reason]
        return Signal(
            site,
            person_id,
            REASONS[step.reason],
            weight,
            step.state,
            step.time,
            step.ordinal,
            step.evidence,
            withdrawn,
            self._said.version,
        )

    def _count_risks(self, site: str, before: set[int], after: set[int], change: Change) -> None:
        if not change.steps and not change.steps_gone:
            return
        raised = dict.fromkeys(before ^ after, 0)
        for sign, steps in ((-1, change.steps_gone), (1, change.steps)):
            for step in steps:
                if step.state == "raised":
                    raised[step.reason] = raised.get(step.reason, 0) + sign
        for reason, count in raised.items():
            persons = (reason in after) - (reason in before)
            if persons or count:
                self._said.risks.append(RiskFact(site, REASONS[reason], persons, count))

    def _pass_on(self, key: str, site: str, an_id: str, outcome: Outcome) -> None:
        said = self._said
        said.passed += [(f"{site}{SEPARATOR}{user}", one, sign) for user, one, sign in outcome.passed]
        said.claims += [(f"{site}{SEPARATOR}{user}", an_id, since) for user, since in outcome.claims]
        said.answers += [(f"{site}{SEPARATOR}{one}", an_id, refused) for one, refused in outcome.told]
        said.refused += sum(refused for _, refused in outcome.told)
        if outcome.owners is not None:
            since, users = said.owners[key] = outcome.owners[1]
            said.links.append(LinkRow(site, an_id, list(users), list(since), said.version))


def _raised(person: Person) -> set[int]:
    return set(person.items.risk.raised) if person.items.risk else set()


def credit_row(site: str, person_id: str, credit: Credit, version: int, *, withdrawn: bool) -> AttributionRow:
    """One touch of one of the person's conversions, as it is stored."""
    values: list[Any] = [*credit[:-2], *credit.credits, *credit.shares, withdrawn, version]
    return AttributionRow(site, person_id, *values)
