"""What is asked of every request, whatever protocol it speaks: where does it come from, and is it not too much?

address -> its rate (before the body is read: one hit; after: the rest) -> own form through the gate -> site's rate
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence

from aiohttp import web

from pipeline.collector.addresses import Network, network_of, sender_of
from pipeline.collector.gate import SiteGate
from pipeline.collector.protocols.base import Refusal, Request
from pipeline.collector.publisher import Record
from pipeline.collector.rates import Rates
from pipeline.collector.reading import TurnedAwayError
from pipeline.collector.sites.registry import Denial
from pipeline.collector.tracking import Admitted
from pipeline.core.ids import SEPARATOR

_SEPARATOR = SEPARATOR.encode()


def _open() -> SiteGate:
    return SiteGate(lambda: None, backdate_ms=0)


class Entrance:
    """Without arguments: anybody may send, as much as can be taken. ``denied``: counts who was too fast."""

    def __init__(
        self,
        gate: SiteGate | None = None,
        *,
        address_rates: Rates | None = None,
        site_rates: Rates | None = None,
        proxies: Sequence[Network] = (),
        denied: Callable[[Denial], object] = lambda _: None,
    ) -> None:
        self.gate = gate or _open()
        self._address_rates = address_rates or Rates(0)
        self._site_rates = site_rates or Rates(0)
        self._proxies = proxies
        self._denied = denied

    def sender(self, request: web.Request) -> str:
        """The address that the request comes from."""
        peer = request.remote or ""
        if not self._proxies:
            return peer
        # Proxies may add a line of their own after the sender's.
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        return sender_of(peer, forwarded, self._proxies)

    def knock(self, sender: str, hits: int, now_ms: int) -> None:
        """Take so many hits from the sender's rate; :class:`TurnedAwayError` when it has them not."""
        if self._address_rates.is_limited and hits > 0:
            self._take(self._address_rates, network_of(sender), hits, now_ms)

    def count(self, records: Sequence[Record], now_ms: int) -> None:
        """The same for the sites of the records."""
        if not self._site_rates.is_limited:
            return
        sites = Counter(key.partition(_SEPARATOR)[0] for key, _ in records)
        for site, hits in sites.items():
            self._take(self._site_rates, site.decode(), hits, now_ms)

    def own(self, request: Request, hits: Sequence[bytes]) -> Admitted:
        """Hits of our own form, each let in or refused."""
        admitted = Admitted([], [], {})
        for place, raw in enumerate(hits):
            kept = self.gate.raw(request, raw)
            if isinstance(kept, Refusal):
                admitted.barred[place] = kept
            else:
                admitted.hits.append(kept)
                admitted.places.append(place)
        return admitted

    def _take(self, rates: Rates, name: str, hits: int, now_ms: int) -> None:
        seconds = rates.take(name, hits, now_ms)
        if seconds:
            self._denied(Denial.RATE)
            raise TurnedAwayError(429, "hits come faster than is allowed", math.ceil(seconds))
