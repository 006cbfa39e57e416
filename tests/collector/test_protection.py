"""Addresses, countries, rates, privacy: what each says at its boundaries."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.collector.addresses import network_of, networks, sender_of
from pipeline.collector.countries import CountryFileError, nowhere, open_countries
from pipeline.collector.privacy import PrivacyRules, anonymous_id, consent_of, kept_ip, policy_of
from pipeline.collector.rates import Rates
from pipeline.collector.sites import Privacy

from .mmdb import write_mmdb

PROXIES = networks(["10.0.0.0/8", "::1"])
SALT = b"of today"


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),  # not through a proxy of ours: anybody may write it
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what stands before was sent by the sender
        ("10.0.0.1", "203.0.113.9, 10.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "10.1.1.1, 10.2.3.4", "10.1.1.1"),
        ("10.0.0.1", "rubbish", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, rubbish", "10.0.0.1"),
        ("::1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "203.0.113.9:5123", "203.0.113.9"),
    ],
)
def test_forwarded_for_is_believed_as_far_as_the_proxies_are(peer: str, forwarded: str, sender: str) -> None:
    assert sender_of(peer, forwarded, PROXIES) == sender
    assert sender_of(peer, forwarded, ()) == peer


def test_who_shares_a_rate() -> None:
    assert network_of("203.0.113.9") == network_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:ffff") != network_of("2001:db8:0:1::1")
    assert network_of("") == network_of("rubbish") == ""


def test_a_bucket_holds_its_burst_and_fills_again() -> None:
    rates = Rates(10, burst_seconds=2)
    assert [rates.take("a", 5, 0) for _ in range(4)] == [0, 0, 0, 0]
    assert rates.take("a", 1, 0) == pytest.approx(0.1)
    assert rates.take("b", 1, 0) == 0, "another's bucket"
    assert rates.take("a", 1, 99) == pytest.approx(0.001)
    assert rates.take("a", 1, 100) == 0
    assert rates.take("a", 1, 50) > 0, "a clock that goes back gives nothing"


def test_more_than_a_bucket_holds_is_owed() -> None:
    rates = Rates(10, burst_seconds=2)
    assert rates.take("a", 100, 0) == 0
    assert rates.take("a", 1, 7_999) > 0
    assert rates.take("a", 1, 8_200) == 0


def test_no_rate_is_no_limit_and_remembers_nobody() -> None:
    rates = Rates(0)
    assert all(rates.take("a", 10**9, 0) == 0 for _ in range(10))
    assert rates.names == 0


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 30), st.integers(0, 50)), max_size=200))
def test_memory_is_bounded_and_nobody_gets_more_than_the_rate(steps: list[tuple[int, int, int]]) -> None:
    rates, now_ms, taken = Rates(10, burst_seconds=1, most_names=50), 0, 0
    for name, tokens, pause_ms in steps:
        now_ms += pause_ms
        rates.take(str(name), 1, now_ms)
        taken += 0 if rates.take("busy", tokens, now_ms) else tokens
        assert rates.names <= 50
    if all(name < 40 for name, _, _ in steps):  # few enough that nobody is forgotten
        assert taken <= 10 + now_ms * 10 / 1000 + 30


@pytest.mark.parametrize(
    ("ip", "cut"),
    [
        ("203.0.113.200", "203.0.113.0"),
        (" 203.0.113.200 ", "203.0.113.0"),
        ("::ffff:203.0.113.200", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("rubbish", ""),
        ("", ""),
    ],
)
def test_what_is_kept_of_an_address(ip: str, cut: str) -> None:
    assert kept_ip(ip, "cut", SALT) == cut
    assert kept_ip(ip, "drop", SALT) == ""
    hashed = kept_ip(ip, "hash", SALT)
    assert bool(hashed) == bool(cut)
    assert "203" not in hashed or len(hashed) == 24
    if cut:
        assert hashed != kept_ip(ip, "hash", b"of tomorrow")


def test_anonymous_ids() -> None:
    one = anonymous_id("shop", "203.0.113.200", "Mozilla", SALT)
    assert one == anonymous_id("shop", "203.0.113.7", "Mozilla", SALT), "one network is one visitor"
    others = [
        anonymous_id("blog", "203.0.113.200", "Mozilla", SALT),
        anonymous_id("shop", "203.0.114.200", "Mozilla", SALT),
        anonymous_id("shop", "203.0.113.200", "Opera", SALT),
        anonymous_id("shop", "203.0.113.200", "Mozilla", b"of tomorrow"),
    ]
    assert len({one, *others}) == 5


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_do_not_track_does_what_the_site_says(header: str) -> None:
    for policy in ("ignore", "anonymous", "drop"):
        rules = PrivacyRules(do_not_track=policy)
        assert policy_of({header: "1"}, "", rules) == policy
        assert policy_of({header: "0"}, "", rules) == policy_of({}, "", rules) == "ignore"


def test_consent_denied_does_what_the_site_says_and_the_stricter_holds() -> None:
    assert policy_of({}, "denied", PrivacyRules()) == "anonymous"
    assert policy_of({}, "granted", PrivacyRules()) == policy_of({}, "", PrivacyRules()) == "ignore"
    both = PrivacyRules(do_not_track="drop", consent="anonymous")
    assert policy_of({"DNT": "1"}, "denied", both) == "drop"
    assert PrivacyRules().of(Privacy(consent="drop")) == PrivacyRules(consent="drop")


def test_consent_of_a_hit() -> None:
    assert (
        consent_of({"props": {"consent": "denied"}}) == consent_of({"props": {"consent": False}}) == "denied"
    )
    assert consent_of({"props": {"consent": True}}) == consent_of({"props": []}) == consent_of({}) == ""


def test_countries(tmp_path: Path) -> None:
    networks = {"81.2.69.0/24": "GB", "2001:db8::/32": "IR", "203.0.113.128/25": "EG"}
    country_of = open_countries(write_mmdb(tmp_path / "test.mmdb", networks))
    assert [country_of(ip) for ip in ("81.2.69.160", "2001:db8::7", "203.0.113.129")] == ["GB", "IR", "EG"]
    assert [country_of(ip) for ip in ("81.2.70.1", "203.0.113.1", "rubbish", "")] == ["", "", "", ""]
    assert nowhere("81.2.69.160") == ""


def test_a_country_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.mmdb").write_bytes(b"rubbish")
    for name in ("bad.mmdb", "missing.mmdb"):
        with pytest.raises(CountryFileError, match=name):
            open_countries(tmp_path / name)
