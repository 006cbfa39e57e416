"""Facts enter the counters (topic ``facts``, keyed by site); counter rows leave them (topic ``counters``)."""

from msgspec import Struct

from schemas.transition import TransitionFact


class Measure(Struct, frozen=True, array_like=True, gc=False):
    """Something that is counted in the windows beside sessions: ``sums`` (at most six) are added to those of ``name``.

    csat, ces, nps: answers, their sum in micros, the good and the bad ones. email: delivered, opened, opened by a
    machine, clicked, bounced, complained. What is taken back is less than 0.
    """

    site: str
    name: str
    time: int
    sums: list[int]


class SessionSums(Struct, frozen=True, array_like=True, gc=False):
    """Of one pane: what closed sessions of a unit of work add to it. What was taken back is less than 0.

    ``time``: in the pane, ms. ``sums``: sessions, counted, bounced, converted, duration_ms, revenue_micros.
    """

    site: str
    channel: str
    time: int
    sums: list[int]


class RiskFact(Struct, frozen=True, array_like=True, gc=False):
    """``persons``: change of the number of those at risk for the reason. ``raised``: signals, less those taken back."""

    site: str
    reason: str
    persons: int
    raised: int


class Facts(Struct, array_like=True, gc=False):
    """What one unit of work of one upstream partition adds to (or takes back from) the counters of some sites.

    ``watermark``: of that upstream partition, ms; None while it has seen no hit. ``active``: change of the number of
    open sessions per site.
    """

    source: str  # "sessionizer-0", "journeys-3": where it comes from
    watermark: int | None
    sessions: list[SessionSums] = []
    transitions: list[TransitionFact] = []
    active: dict[str, int] = {}
    measures: list[Measure] = []
    risks: list[RiskFact] = []


class CounterRow(Struct, gc=False):
    """The sums of the sessions that closed in one pane: close_time in [pane_start, pane_start + pane_ms).

    The newest ``version`` of (site, channel, pane_start) holds. A pane whose sums fell back to zero stays, with zeros.
    """

    site: str
    channel: str
    pane_start: int
    pane_ms: int
    sessions: int
    counted: int
    bounced: int
    converted: int
    duration_ms: int
    revenue_micros: int
    version: int
