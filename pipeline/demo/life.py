"""The life of one synthetic customer: visits and events on a clock that only goes forward.

Units: ms, UTC; money in cents. Visits of one customer begin at least two hours after the last one ended and
have no pause longer than five minutes, so each is exactly one session. What begins at ``end_ms`` or later
does not happen.
"""

import random
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from pipeline.demo.catalogue import DESKTOPS, LOCALES, PHONES, TABLETS, Product
from pipeline.demo.truth import GOALS, Customer, Truth

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CURRENCY = "EUR"
ORIGIN = "https://shop.example"

_NOTHING: Mapping[str, Any] = MappingProxyType({})
# Hours, by weight.
_DAYTIME = (8, 9, 10, 11, 12, 12, 13, 14, 15, 16, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 22)


class Entry(NamedTuple):
    """How a visit begins. ``override``: the hit names its channel itself."""

    channel: str
    referrer: str = ""
    query: str = ""
    override: bool = False


class Step(NamedTuple):
    """One hit of a visit."""

    event: str
    path: str
    title: str
    fields: Mapping[str, Any] = _NOTHING


class Hit(NamedTuple):
    """Ordered by time, then by whose it is; ``background``: makes no session."""

    time: int
    key: str
    number: int
    background: bool
    raw: bytes


class Invitation(NamedTuple):
    """A friend who arrives at ``time`` through a promoter's ``code``."""

    time: int
    key: str
    code: str


class Life:
    """Writes ``hits``, in no order, and ``invitations``; keeps ``truth`` and its ``customer`` up to date."""

    def __init__(
        self,
        customer: Customer,
        truth: Truth,
        *,
        rng: random.Random,
        site: str,
        start_ms: int,
        end_ms: int,
        devices: int = 1,
    ) -> None:
        self.customer, self.rng, self.now = customer, rng, start_ms
        self.hits: list[Hit] = []
        self.invitations: list[Invitation] = []
        self._truth, self._end_ms = truth, end_ms
        self._orders = 0
        language, country = rng.choice(LOCALES)
        self._base = {"site": site, "language": language, "country": country}
        if customer.known:
            self._base["user_id"] = customer.user_id
        self._devices = [self._device(number) for number in range(devices)]
        customer.visitor_ids += [device["visitor_id"] for device in self._devices]

    @property
    def over(self) -> bool:
        return self.now >= self._end_ms

    @property
    def order_id(self) -> str:
        """Of the last order."""
        return f"order-{self.customer.key}-{self._orders}"

    def _device(self, number: int) -> dict[str, str]:
        kind = self.rng.choices((DESKTOPS, PHONES, TABLETS), (50, 44, 6))[0] if number == 0 else PHONES
        text = f"{self._base['site']}/{self.customer.key}/{number}/{self.rng.random()}"
        return {
            "visitor_id": blake2b(text.encode(), digest_size=10).hexdigest(),
            "user_agent": self.rng.choice(kind),
        }

    def wait(self, days_from: float, days_to: float) -> None:
        """Until an hour of the day at which people are awake, at least two hours from now."""
        days = self.rng.uniform(days_from, days_to)
        day = (self.now + int(days * DAY_MS)) // DAY_MS * DAY_MS
        time = day + self.rng.choice(_DAYTIME) * HOUR_MS + int(self.rng.random() * HOUR_MS)
        self.now = max(time, self.now + 2 * HOUR_MS)

    def visit(self, entry: Entry, steps: list[Step]) -> None:
        """One session on one of the customer's devices."""
        if self.over:
            return
        device = self.rng.choice(self._devices)
        customer, truth = self.customer, self._truth
        customer.first_channel = customer.first_channel or entry.channel
        referrer, query = entry.referrer, entry.query
        for place, step in enumerate(steps):
            seconds = self.rng.uniform(8, 150) if step.event == "page_view" else self.rng.uniform(1, 20)
            self.now += int(seconds * 1_000) if place else 0
            url = f"{ORIGIN}{step.path}{query}"
            hit = {**device, "event": step.event, "url": url, "referrer": referrer, "title": step.title}
            if entry.override and not place:
                hit["channel"] = entry.channel
            self._write(hit | dict(step.fields), self.now)
            referrer, query = url, ""
        self._count_session(steps)
        truth.bounces += sum(step.event == "page_view" for step in steps) == 1

    def in_store(self, order: dict[str, Any]) -> None:
        """A purchase with the loyalty card: a session of the user, on no device."""
        if not self.over:
            self._write({"event": "purchase", "channel": "offline", **order}, self.now)
            self._count_session([Step("purchase", "", "", order)])

    def event(self, name: str, fields: Mapping[str, Any] = _NOTHING, *, after_ms: int = 0) -> None:
        """A background event of a known customer."""
        if not self.over:
            self._write({"event": name, **fields}, self.now + after_ms, background=True)

    def order(self, products: list[Product]) -> dict[str, Any]:
        """The fields of a purchase."""
        self._orders += 1
        cents = sum(product.cents for product in products)
        return {
            "order_id": self.order_id,
            "revenue": cents / 100,
            "currency": CURRENCY,
            "items": [{"item_id": p.sku, "item_name": p.name, "price": p.cents / 100} for p in products],
        }

    def refund(self, cents: int) -> None:
        """Takes back ``cents`` of the last order."""
        if not self.over:
            self.customer.refunded_cents += cents
            self.event("refund", {"order_id": self.order_id, "revenue": cents / 100, "currency": CURRENCY})

    def leave(self, reason: str) -> None:
        """Says good-bye and why."""
        if not self.over:
            self.event("churn_feedback", {"props": {"reason": reason}})
            self.customer.left = reason

    def invite(self, code: str) -> None:
        """A friend comes some days later."""
        if not self.over:
            time = self.now + int(self.rng.uniform(0.2, 6) * DAY_MS)
            self.invitations.append(Invitation(time, f"{self.customer.key}.{len(self.invitations)}", code))

    def _write(self, fields: dict[str, Any], time: int, *, background: bool = False) -> None:
        number = len(self.hits)
        hit = self._base | fields | {"hit_id": f"{self.customer.key}-{number}", "time": time}
        self.hits.append(Hit(time, self.customer.key, number, background, orjson.dumps(hit)))

    def _count_session(self, steps: list[Step]) -> None:
        goals = sum(step.event in GOALS for step in steps)
        for step in steps:
            if step.event == "purchase":
                self.customer.orders += 1
                self.customer.cents += round(step.fields["revenue"] * 100)
        self.customer.sessions += 1
        self._truth.sessions += 1
        self._truth.converted += goals > 0
        self._truth.conversions += goals
