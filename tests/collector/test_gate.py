"""The gate: whose hit it is, may it come in, and with how much of the person in it."""

import json
from hashlib import sha256
from typing import Any

import pytest

from pipeline.collector.gate import SiteGate
from pipeline.collector.privacy import PrivacyRules
from pipeline.collector.protocols.base import Event, Refusal, Request
from pipeline.collector.sites import Denial, Privacy, Registry, Site
from pipeline.collector.sites.keys import hash_of
from pipeline.core.decode import decode
from schemas.hit import Hit

NOW_MS = 1_763_760_000_000
HOUR_MS = 3_600_000
SECRET = "a secret that nobody guesses"
_ANNA = sha256(b"anna@example.com").hexdigest()
ORIGIN = {"Origin": "https://shop.example"}
SHOP = Site(
    name="shop",
    origins=("https://shop.example",),
    keys={"segment": ("wk",), "masir": ("browser-key",)},
    server_keys={"segment": (hash_of(SECRET),), "masir": (hash_of(SECRET),)},
    currency="EUR",
)
BLOG = Site(name="blog", privacy=Privacy(ip="drop", do_not_track="drop", consent="drop"))


def request(headers: dict[str, str] | None = None, ip: str = "203.0.113.200") -> Request:
    return Request(
        method="POST", path="/", headers=headers or {}, ip=ip, received_ms=NOW_MS, day_salt="of today"
    )


class Counting(SiteGate):
    """A gate that remembers what it denied."""

    def __init__(self, sites: tuple[Site, ...] | None = (SHOP, BLOG), **options: Any) -> None:
        self.denials: list[Denial] = []
        registry = None if sites is None else Registry(sites, environ={})
        super().__init__(lambda: registry, denied=self.denials.append, backdate_ms=72 * HOUR_MS, **options)


def event(key: str = "wk", secret: str = "", consent: str = "", **hit: Any) -> Event:
    return Event({"event": "page_view", "visitor_id": "v1", "user_id": "u1", **hit}, key, secret, consent)


def own(**hit: Any) -> bytes:
    return json.dumps({"site": "shop", "event": "page_view", "visitor_id": "v1", **hit}).encode()


def test_a_key_becomes_its_site() -> None:
    gate = Counting()
    assert gate("segment", request(ORIGIN), event()) == "shop"
    assert gate("plausible", request(), event("blog")) == "blog"
    assert gate.denials == []


@pytest.mark.parametrize(
    ("key", "headers", "denial"),
    [
        ("wrong", ORIGIN, Denial.UNKNOWN_SITE),
        ("shop", ORIGIN, Denial.UNKNOWN_KEY),
        ("wk", {"Origin": "https://evil.example"}, Denial.ORIGIN),
        ("wk", {"Origin": "null"}, Denial.ORIGIN),
        ("wk", {}, Denial.ORIGIN),
    ],
)
def test_who_may_not_is_refused_and_counted(key: str, headers: dict[str, str], denial: Denial) -> None:
    gate = Counting()
    refused = gate("segment", request(headers), event(key))
    assert isinstance(refused, Refusal)
    assert refused.reason == denial.value
    assert gate.denials == [denial]


def test_without_a_registry_the_key_is_the_site() -> None:
    assert Counting(None)("segment", request(), event("anything")) == "anything"


@pytest.mark.parametrize(
    ("time", "sent_time", "backdated"),
    [
        (NOW_MS - 72 * HOUR_MS, None, False),
        (NOW_MS - 72 * HOUR_MS - 1, None, True),
        (None, None, False),
        (NOW_MS - 200 * HOUR_MS, NOW_MS - 199 * HOUR_MS, False),  # a clock that is wrong, an hour on the way
        (NOW_MS - 200 * HOUR_MS, NOW_MS - 5_000, True),
        ("2025-01-01T00:00:00Z", None, True),
        ("rubbish", None, False),  # the judge's affair
    ],
)
def test_a_browser_cannot_rewrite_the_past_and_a_server_can(
    time: Any, sent_time: Any, backdated: bool
) -> None:
    times = {name: value for name, value in (("time", time), ("sent_time", sent_time)) if value is not None}
    gate = Counting()
    answer = gate("segment", request(ORIGIN), event(**times))
    assert gate.denials == ([Denial.BACKDATED] if backdated else [])
    assert isinstance(answer, Refusal) is backdated
    assert gate("segment", request(), event(secret=SECRET, **times)) == "shop"
    assert (
        isinstance(gate.raw(request(ORIGIN | {"X-Masir-Key": "browser-key"}), own(**times)), Refusal)
        is backdated
    )


def test_the_sites_currency_is_put_where_there_is_none() -> None:
    gate = Counting()
    bare, given, none = event(revenue=1), event(revenue=1, currency="USD"), event()
    for one in (bare, given, none):
        gate("segment", request(ORIGIN), one)
    assert [one.hit.get("currency") for one in (bare, given, none)] == ["EUR", "USD", None]  # type: ignore[union-attr]


def test_an_address_in_a_hit_is_cut_and_gives_the_country_first() -> None:
    seen: list[str] = []

    def countries(ip: str) -> str:
        seen.append(ip)
        return "GB"

    gate = Counting(countries=countries)
    by_server, by_browser = event(secret=SECRET, ip="81.2.69.160"), event(ip="81.2.69.160")
    gate("segment", request(), by_server)
    gate("segment", request(ORIGIN), by_browser)
    assert seen == ["81.2.69.160", "203.0.113.200"], "a browser may not say where it is"
    assert isinstance(by_server.hit, dict)
    assert (by_server.hit["ip"], by_server.hit["country"]) == ("81.2.69.0", "GB")


def test_a_country_that_is_given_holds() -> None:
    gate = Counting(countries=lambda _: "GB")
    given = event(secret=SECRET, country="IR")
    gate("segment", request(), given)
    assert isinstance(given.hit, dict)
    assert given.hit["country"] == "IR"


def test_privacy_of_the_settings_and_of_the_site() -> None:
    gate = Counting(rules=PrivacyRules(do_not_track="anonymous"))
    asking = event(order_id="o1", ip="203.0.113.200")
    assert gate("segment", request(ORIGIN | {"DNT": "1"}), asking) == "shop"
    assert isinstance(asking.hit, dict)
    assert asking.hit.keys() == {"event", "visitor_id"}
    assert asking.hit["visitor_id"].startswith("anon-")
    assert isinstance(gate("plausible", request({"DNT": "1"}), event("blog")), Refusal)
    assert isinstance(gate("plausible", request(), event("blog", consent="denied")), Refusal)
    assert gate.denials == [Denial.PRIVACY, Denial.PRIVACY]
    address = event("blog", ip="203.0.113.200")
    assert gate("plausible", request(), address) == "blog"
    assert "ip" not in address.hit


@pytest.mark.parametrize(
    ("user", "kept"),
    [
        ("Anna@Example.com ", _ANNA),
        ("anna@example.com", _ANNA),
        ("u-42", "u-42"),
        (" u-43", " u-43"),
        ("@handle", "@handle"),
        ("", ""),
    ],
)
def test_ids_that_are_addresses_are_hashed_by_setting_or_by_the_site(user: str, kept: str) -> None:
    by_setting = Counting(None, rules=PrivacyRules(email_ids="hash"))
    by_site = Counting((Site(name="shop", privacy=Privacy(email_ids="hash")),))
    for gate in (by_setting, by_site):
        one = event("shop", user_id=user, visitor_id=user)
        assert gate("segment", request(), one) == "shop"
        assert isinstance(one.hit, dict)
        assert one.hit["user_id"] == one.hit["visitor_id"] == kept
        found = gate.raw(request(), own(user_id=user))
        assert isinstance(found, bytes)
        assert json.loads(found)["user_id"] == one.hit["user_id"]
    untouched = event("shop", user_id=user)
    Counting(None)("segment", request(), untouched)
    assert untouched.hit["user_id"] == user  # type: ignore[index]


def test_our_own_form_stays_byte_for_byte_where_nothing_is_to_change() -> None:
    raw = own(revenue=1.10, currency="EUR", note="ü")
    assert Counting(None).raw(request(), raw) is raw
    assert Counting().raw(request(ORIGIN | {"X-Masir-Key": "browser-key"}), raw) is raw


@pytest.mark.parametrize(
    "raw", [b"", b"rubbish", b"[1]", b'{"site":7}', b"{}", b"[" * 100_000, b"x" * 70_000]
)
def test_what_is_no_hit_is_the_judges_affair(raw: bytes) -> None:
    assert Counting().raw(request(), raw) is raw


@pytest.mark.parametrize("unread", [b"1e999", b'"\xff"'])
def test_what_the_judge_leaves_unread_opens_no_gate(unread: bytes) -> None:
    raw = own(ip="203.0.113.200")[:-1] + b',"x":' + unread + b"}"
    assert type(decode(raw)) is Hit, "it reads no field that it does not know"
    for gate, headers in ((Counting(), ORIGIN), (Counting(None), {})):
        refused = gate.raw(request(headers), raw)
        assert isinstance(refused, Refusal)
        assert refused.reason == "bad_value"


def test_props_of_an_anonymous_hit_name_nobody() -> None:
    props = {
        "traits": {"email": "anna@example.com"},
        "session_id": "s",
        "$device_id": 7,
        "author": "anna@example.com",
    }
    gone = {**props, "consent": False}
    for kind, kept in (("page_view", {"plan": "pro", "n": 1, "consent": False}), ("identify", None)):
        hit = gate_anonymous(own(event=kind, props={"plan": "pro", "n": 1, **gone}))
        assert hit.get("props") == kept


def gate_anonymous(raw: bytes) -> dict[str, Any]:
    kept = Counting(None).raw(request(), raw)
    assert isinstance(kept, bytes)
    hit: dict[str, Any] = json.loads(kept)
    return hit


def test_our_own_form_without_registry_is_cut_too() -> None:
    gate = Counting(None)
    for raw in (own(ip="203.0.113.200"), own(ip="203.0.113.200").replace(b'"ip"', b'"\\u0069p"')):
        kept = gate.raw(request(), raw)
        assert isinstance(kept, bytes)
        assert json.loads(kept)["ip"] == "203.0.113.0"
    anonymous = gate.raw(request(), own(user_id="u1", props={"consent": "denied"}))
    assert isinstance(anonymous, bytes)
    assert "user_id" not in json.loads(anonymous)


@pytest.mark.parametrize(
    ("headers", "site", "denial"),
    [
        (ORIGIN, "shop", Denial.UNKNOWN_KEY),
        (ORIGIN | {"X-Masir-Key": "browser-key"}, "shop", None),
        (ORIGIN | {"X-Masir-Key": "browser-key"}, "blog", Denial.OTHER_SITE),
        ({"X-Masir-Key": "browser-key"}, "shop", Denial.ORIGIN),
        ({"Authorization": f"Bearer {SECRET}"}, "shop", None),
        ({"Authorization": f"bearer {SECRET}"}, "blog", Denial.OTHER_SITE),
        ({"Authorization": "Bearer guess"}, "shop", Denial.UNKNOWN_KEY),
        ({}, "blog", None),
        ({}, "unknown", Denial.UNKNOWN_SITE),
    ],
)
def test_our_own_form_needs_its_key_too(headers: dict[str, str], site: str, denial: Denial | None) -> None:
    gate = Counting()
    kept = gate.raw(request(headers), own(site=site))
    assert gate.denials == ([denial] if denial else [])
    assert isinstance(kept, Refusal) is (denial is not None)
