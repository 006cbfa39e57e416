"""The rolling counters: facts in; counter rows (one per changed pane of sessions) and gauges out.

Time is event time: it moves on by the watermark, the minimum over the upstream partitions that have seen
a hit. Neither a source's watermark nor the minimum goes back. Sessions that close ahead of it wait in
their pane; those that closed more than 24 hours behind change their pane and its row, and no window. A
take-back (sign -1) goes to the pane, and so to the window, that its session was put in. The sums depend
on the set of facts and on the watermark, never on the order.

State is read through ``get`` and handed out by :meth:`Counters.changes`, packed, under keys of its own:
the caller stores it in the unit of work of the batch. If that fails, this object is ahead of the store:
make a new one.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final, TypeVar

from msgspec import Struct, msgpack

from pipeline.core.windows import PANE_MS, PANES_PER_CHUNK, WINDOWS, Panes, Sums, WindowSums, add
from schemas.counter import CounterRow, Facts, Measure, RiskFact, SessionSums
from schemas.transition import TransitionFact

ALL = "all"  # the channel that is the sum of the channels
STAGE = "\x1f"  # a stage's measure is named STAGE, model, STAGE, stage: [moved on, left the journey]
_HEAD, _SITES = b"head", b"sites"
_MEASURE = "\x1f"  # goes before the name of a measure: no channel begins so
_NEVER = -(1 << 62)  # before every pane
_NOTHING: Final = (0,) * 6
_encode = msgpack.Encoder().encode
T = TypeVar("T", bound=Struct)
Deltas = defaultdict[tuple[str, int], dict[str, Sums]]  # site and pane -> channel -> what is added


class SiteGauges(Struct, frozen=True):
    """``windows``: per channel (and ``all``) sums in the order of WINDOWS. ``persons``: by (model, stage).

    ``transitions``: by (model, from_stage, to_stage), net of take-backs, since the beginning. ``measures``: by name
    the sums of :class:`schemas.counter.Measure` in the order of WINDOWS. ``risks``: reason -> persons now, signals
    raised since the beginning.
    """

    active: int
    windows: dict[str, tuple[WindowSums, ...]]
    persons: dict[tuple[str, str], int]
    transitions: dict[tuple[str, str, str], int]
    measures: dict[str, tuple[Sums, ...]] = {}
    risks: dict[str, tuple[int, int]] = {}


class Gauges(Struct, frozen=True):
    """What is so at ``watermark`` (ms; None before the first hit). Sites in the order in which they came."""

    watermark: int | None
    sites: dict[str, SiteGauges]

    def since(self, before: "Gauges | None") -> dict[str, SiteGauges]:
        """The sites that are not as they were: of many sites few change in a batch."""
        known = before.sites if before is not None else {}
        return {site: state for site, state in self.sites.items() if known.get(site) is not state}


class _Head(Struct, array_like=True):
    pane_ms: int
    watermark: int | None = None
    sources: dict[str, int] = {}


class _Sites(Struct, array_like=True):
    """In the order in which they came."""

    names: list[str] = []


class _Site(Struct, array_like=True):
    """``bands``: channel -> sums per band; a channel without sessions in 24 h is left out.

    ``chunks``: numbers, ascending, of the chunks with panes that are in a window or ahead.
    """

    active: int = 0
    bands: dict[str, list[Sums]] = {}
    chunks: list[int] = []
    persons: dict[tuple[str, str], int] = {}
    transitions: dict[tuple[str, str, str], int] = {}
    risks: dict[str, tuple[int, int]] = {}


class Counters:
    """State of the hop for one partition of the facts."""

    def __init__(self, get: Callable[[bytes], bytes | None], *, pane_ms: int = PANE_MS) -> None:
        if pane_ms < 1 or any(width % pane_ms for width in WINDOWS.values()):
            raise ValueError(f"pane_ms is {pane_ms}; allowed are the divisors of {WINDOWS['5m']}")
        self._head = _load(get(_HEAD), _Head(pane_ms))
        if self._head.pane_ms != pane_ms:
            raise ValueError(f"pane_ms is {pane_ms}, but the stored counters have {self._head.pane_ms}")
        self._pane_ms = pane_ms
        # Ages, in panes, at which bands begin.
        self._edges = [0, *(width // pane_ms for width in WINDOWS.values())]
        self._now = _NEVER if self._head.watermark is None else self._head.watermark // pane_ms
        self._panes = Panes(get)
        self._changed: dict[str, None] = {}
        names = _load(get(_SITES), _Sites()).names
        self._sites = {name: _load(get(_site_key(name)), _Site()) for name in names}
        self._stored_sites = len(names)
        self._shown: dict[str, SiteGauges] = {}
        self._unshown = dict.fromkeys(names)  # sites that have changed since the last snapshot

    @property
    def watermark(self) -> int | None:
        """Of the hop, in ms."""
        return self._head.watermark

    def apply(self, batch: Iterable[Facts], version: int) -> list[CounterRow]:
        """Take in the facts, move the windows on; returns the changed panes, each once, with their sums."""
        deltas: Deltas = defaultdict(dict)
        for facts in batch:
            if facts.watermark is not None:
                known = self._head.sources.get(facts.source, facts.watermark)
                self._head.sources[facts.source] = max(known, facts.watermark)
            _sum_sessions(facts.sessions, self._pane_ms, deltas)
            for site, change in facts.active.items():
                self._site(site).active += change
            _sum_measures(facts.measures, self._pane_ms, deltas)
            self._count_transitions(facts.transitions)
            self._count_risks(facts.risks)
        rows: list[CounterRow] = []
        for (site, pane), changed in deltas.items():
            changed = {channel: delta for channel, delta in changed.items() if any(delta)}
            if changed:
                rows += self._change_pane(site, pane, changed, version)
        self._advance()
        return rows

    def changes(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and packed values to store: all that changed since the last call."""
        yield _HEAD, _encode(self._head)
        if len(self._sites) > self._stored_sites:
            self._stored_sites = len(self._sites)
            yield _SITES, _encode(_Sites(list(self._sites)))
        for site in self._changed:
            yield _site_key(site), _encode(self._sites[site])
        self._unshown |= self._changed
        self._changed.clear()
        yield from self._panes.changes()

    def snapshot(self) -> Gauges:
        """The gauges of now; later changes do not touch them."""
        for site in self._unshown | self._changed:
            self._shown[site] = _gauges(self._sites[site])
        self._unshown.clear()
        return Gauges(self._head.watermark, self._shown.copy())

    def _site(self, site: str) -> _Site:
        """State of the site, about to be changed."""
        self._changed[site] = None
        state = self._sites.get(site)
        if state is None:
            state = self._sites[site] = _Site()
        return state

    def _count_transitions(self, facts: list[TransitionFact]) -> None:
        for fact in facts:
            state = self._site(fact.site)
            model, left, entered, count = fact.model, fact.from_stage, fact.to_stage, fact.count
            state.transitions[model, left, entered] = state.transitions.get((model, left, entered), 0) + count
            if entered:
                state.persons[model, entered] = state.persons.get((model, entered), 0) + count
            if left:
                state.persons[model, left] = state.persons.get((model, left), 0) - count

    def _count_risks(self, facts: list[RiskFact]) -> None:
        for fact in facts:
            state = self._site(fact.site)
            persons, raised = state.risks.get(fact.reason, (0, 0))
            state.risks[fact.reason] = (persons + fact.persons, raised + fact.raised)

    def _change_pane(
        self, site: str, pane: int, deltas: dict[str, Sums], version: int
    ) -> Iterator[CounterRow]:
        """``deltas``: by channel."""
        state = self._site(site)
        channels = self._panes.add(site, pane, deltas)
        age = self._now - pane
        if age < self._edges[-1]:
            _keep(state.chunks, pane // PANES_PER_CHUNK)
            if age >= 0:  # else it is ahead of the watermark
                band = bisect_right(self._edges, age) - 1
                for channel, delta in deltas.items():
                    _add_to_band(state, channel, band, delta)
        start = pane * self._pane_ms
        for channel in deltas:
            if not channel.startswith(_MEASURE):
                sums = channels.get(channel, _NOTHING)
                sessions, counted, bounced, converted, duration_ms, revenue_micros = sums
                yield CounterRow(
                    site, channel, start, self._pane_ms, sessions, counted, bounced, converted, duration_ms,
                    revenue_micros, version,
                )  # fmt: skip

    def _advance(self) -> None:
        """Bring the windows to the watermark: panes that were ahead enter, others grow older, or leave."""
        if not self._head.sources:
            return
        watermark = min(self._head.sources.values())
        if self._head.watermark is not None and watermark <= self._head.watermark:
            return
        self._head.watermark = watermark
        before, self._now = self._now, watermark // self._pane_ms
        if self._now > before:
            for site, state in self._sites.items():
                if state.chunks:
                    self._move_on(site, state, before)

    def _move_on(self, site: str, state: _Site, before: int) -> None:
        last = len(self._edges) - 1
        for band, age in enumerate(self._edges):
            for channel, sums in self._panes.between(site, state.chunks, before - age, self._now - age):
                self._changed[site] = None
                if band < last:
                    _add_to_band(state, channel, band, sums)
                if band > 0:
                    _add_to_band(state, channel, band - 1, sums, sign=-1)
        oldest = (self._now - self._edges[-1] + 1) // PANES_PER_CHUNK
        if state.chunks[0] < oldest:
            self._changed[site] = None
            state.chunks = [number for number in state.chunks if number >= oldest]


def _sum_sessions(facts: list[SessionSums], pane_ms: int, deltas: Deltas) -> None:
    """Add the facts to ``deltas``."""
    for fact in facts:
        channels = deltas[fact.site, fact.time // pane_ms]
        sums = channels.get(fact.channel)
        if sums is None:
            channels[fact.channel] = fact.sums.copy()
        else:
            add(sums, fact.sums)


def _sum_measures(facts: list[Measure], pane_ms: int, deltas: Deltas) -> None:
    """As for sessions, under a channel that no session has."""
    for fact in facts:
        channels, name = deltas[fact.site, fact.time // pane_ms], _MEASURE + fact.name
        sums = [*fact.sums, *_NOTHING[len(fact.sums) :]]
        if name in channels:
            add(channels[name], sums)
        else:
            channels[name] = sums


def _keep(chunks: list[int], number: int) -> None:
    """Add the number to those that are ascending, unless it is there."""
    place = bisect_left(chunks, number)
    if chunks[place : place + 1] != [number]:
        chunks.insert(place, number)


def _add_to_band(state: _Site, channel: str, band: int, sums: Sums, *, sign: int = 1) -> None:
    bands = state.bands.get(channel)
    if bands is None:
        bands = state.bands[channel] = [[0] * 6 for _ in WINDOWS]
    target = bands[band]
    add(target, sums, sign)
    if not any(target) and not any(map(any, bands)):
        del state.bands[channel]


def _gauges(state: _Site) -> SiteGauges:
    windows = {ALL: (WindowSums(),) * len(WINDOWS)}
    measures = {}
    for channel, bands in state.bands.items():
        if channel.startswith(_MEASURE):
            summed = accumulate(bands, lambda one, other: [a + b for a, b in zip(one, other, strict=True)])
            measures[channel.removeprefix(_MEASURE)] = tuple(map(list, summed))  # not the state's own
            continue
        sums = tuple(accumulate(bands, WindowSums.plus, initial=WindowSums()))[1:]
        windows[channel] = sums
        windows[ALL] = tuple(map(WindowSums.plus, windows[ALL], sums))
    return SiteGauges(
        state.active, windows, dict(state.persons), dict(state.transitions), measures, dict(state.risks)
    )


def _load(packed: bytes | None, default: T) -> T:
    return default if packed is None else msgpack.decode(packed, type=type(default))


def _site_key(site: str) -> bytes:
    return f"site\x1f{site}".encode()
