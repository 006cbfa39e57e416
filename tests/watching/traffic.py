"""Live traffic for a running pipeline: people of a shop who look, buy, open e-mails and answer surveys, now."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from system.kit import hit, now_ms, post

from bench.running import Running

_CHANNELS = ("", "?utm_source=news&utm_medium=email&utm_campaign=monthly", "?gclid=x")


def visit(site: str, number: int) -> list[bytes]:
    """One person's visit: two pages, every fourth person buys, and what comes of it later."""
    now, who = now_ms(), f"{site}-{number}"

    def said(event: str, **fields: Any) -> bytes:
        return hit(who, now, site=site, event=event, user_id=f"u-{who}", **fields)

    url = f"https://{site}.example/products/{number % 5}{_CHANNELS[number % 3]}"
    hits = [said("page_view", url=url), said("page_view", url=f"https://{site}.example/pricing")]
    if number % 4 == 0:
        hits.append(said("purchase", revenue=49.9, currency="EUR", order_id=f"o-{who}"))
        hits.append(said("email_sent", campaign={"source": "news", "name": "thanks"}))
        hits.append(said("email_open", campaign={"source": "news", "name": "thanks"}))
        hits += [
            said("survey_response", score=9, scale=10, props={"metric": metric})
            for metric in ("csat", "ces", "nps")
        ]
        hits.append(said("ad_cost", revenue=5, currency="EUR", channel="paid_search"))
    return hits


def events(site: str, persons: int, event: str, **fields: Any) -> list[bytes]:
    """The same event of each of so many customers of a site, who do not take part in the visits."""
    now = now_ms()
    return [
        hit(f"{site}-c{n}", now, site=site, event=event, user_id=f"c-{site}-{n}", **fields)
        for n in range(persons)
    ]


class Traffic:
    """Visits to sites, again and again, until told otherwise.

    ``sites``: who is visited now. ``each``: how many visits a site has in a round.
    ``unreadable``: hits of each round that are none.
    """

    def __init__(self, pipeline: Running, sites: set[str]) -> None:
        self.sites = set(sites)
        self.unreadable = 0
        self.each = 5
        self._pipeline = pipeline
        self._stop = threading.Event()

    def run(self) -> None:
        """Visits to each site, once a second."""
        for number in count():
            if self._stop.is_set():
                return
            hits = [
                one
                for site in sorted(self.sites)
                for n in range(self.each)
                for one in visit(site, number * self.each + n)
            ]
            hits += [b"{ not json %d" % n for n in range(self.unreadable)]
            if hits:
                post(self._pipeline, *hits)
            self._stop.wait(1)

    def stop(self) -> None:
        """No more visits."""
        self._stop.set()


@contextmanager
def traffic(pipeline: Running, *sites: str) -> Iterator[Traffic]:
    """Visits for as long as the block lasts."""
    visits = Traffic(pipeline, set(sites))
    thread = threading.Thread(target=visits.run, daemon=True)
    thread.start()
    try:
        yield visits
    finally:
        visits.stop()
        thread.join()
