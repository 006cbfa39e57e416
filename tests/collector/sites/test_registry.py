"""Who may send: keys, secrets, origins; and a registry that changes while it is in use."""

import logging
import os
from pathlib import Path

import pytest

from pipeline.collector.sites import Denial, Denied, Registry, Site, SitesError, Trust, Watched
from pipeline.collector.sites.keys import hash_of, is_hash, is_one_of, new_key
from pipeline.collector.sites.registry import is_allowed, origin_of

SECRET = "a secret that nobody guesses"
SHOP = Site(
    name="shop",
    origins=("https://shop.example", "https://*.shop.example"),
    keys={"segment": ("wk_shop",)},
    server_keys={"segment": (hash_of("another"), hash_of(SECRET))},
    secrets={
        "mailgun": "env:MAILGUN",
        "typeform": "file:/secrets/typeform",
        "sendgrid": "file:/secrets/none",
    },
)
BLOG = Site(name="blog")
HOME = "https://shop.example"


def read(path: Path) -> bytes:
    if path.name == "none":
        raise FileNotFoundError(path)
    return b"from the file\n"


@pytest.fixture
def registry() -> Registry:
    return Registry([SHOP, BLOG], environ={"MAILGUN": "from the environment"}, read=read)


def denial_of(registry: Registry, protocol: str, key: str, origin: str = HOME, secret: str = "") -> Denial:
    with pytest.raises(Denied) as caught:
        registry.caller(protocol, key, origin=origin, secret=secret)
    assert "secret" not in str(caught.value)
    return caught.value.denial


def test_a_browser_key_names_its_site(registry: Registry) -> None:
    assert registry.caller("segment", "wk_shop", origin=HOME) == (SHOP, Trust.BROWSER)


def test_the_name_of_a_site_is_enough_where_it_has_no_keys(registry: Registry) -> None:
    assert registry.caller("plausible", "shop", origin=HOME).site is SHOP
    assert registry.caller("masir", "blog", origin="").site is BLOG
    assert denial_of(registry, "segment", "shop") is Denial.UNKNOWN_KEY


def test_a_key_of_another_protocol_is_unknown(registry: Registry) -> None:
    assert denial_of(registry, "posthog", "wk_shop") is Denial.UNKNOWN_SITE
    assert denial_of(registry, "segment", "wk_other") is Denial.UNKNOWN_SITE
    assert denial_of(registry, "segment", "") is Denial.UNKNOWN_KEY


@pytest.mark.parametrize(("key", "secret"), [("wk_shop", SECRET), ("", SECRET), (SECRET, "")])
def test_who_has_the_secret_is_a_server_wherever_it_sends_from(
    registry: Registry, key: str, secret: str
) -> None:
    assert registry.caller("segment", key, origin="https://evil.example", secret=secret) == (
        SHOP,
        Trust.SERVER,
    )


def test_a_wrong_secret_is_worth_as_much_as_none(registry: Registry) -> None:
    assert registry.caller("segment", "wk_shop", origin=HOME, secret="guess").trust is Trust.BROWSER
    assert denial_of(registry, "segment", "wk_shop", "https://evil.example", "guess") is Denial.ORIGIN
    assert denial_of(registry, "posthog", "x", secret=SECRET) is Denial.UNKNOWN_SITE


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://shop.example", True),
        ("https://SHOP.example", True),
        ("https://www.shop.example", True),
        ("https://a.b.shop.example", True),
        ("http://shop.example", False),
        ("https://shop.example:444", False),
        ("https://notshop.example", False),
        ("https://.shop.example", False),
        ("https://shop.example.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str, allowed: bool) -> None:
    assert is_allowed(origin, SHOP.origins) is allowed
    assert is_allowed(origin, ())


def test_a_wildcard_is_not_the_domain_itself() -> None:
    assert not is_allowed("https://shop.example", ("https://*.shop.example",))


def test_the_origin_of_a_request() -> None:
    assert origin_of("https://a.example", "https://b.example/x") == "https://a.example"
    assert origin_of(None, "https://user@b.example:1/x?y") == "https://b.example:1"
    assert origin_of("null", "https://b.example/") == "https://b.example"
    assert origin_of(None, None) == origin_of("null", "about:blank") == origin_of("", "http://[") == ""


def test_signing_secrets_stand_elsewhere(registry: Registry) -> None:
    assert registry.secret_of("shop", "mailgun") == b"from the environment"
    assert registry.secret_of("shop", "typeform") == b"from the file"
    assert registry.secret_of("shop", "sendgrid") is None, "the file is not there"
    assert registry.secret_of("shop", "delighted") is registry.secret_of("blog", "mailgun") is None
    assert Registry([SHOP], environ={}).secret_of("shop", "mailgun") is None


def test_keys() -> None:
    first, second = new_key(), new_key()
    assert first != second
    assert is_hash(hash_of(first))
    assert not is_hash(first)
    assert first not in hash_of(first)
    assert is_one_of(hash_of(first), [hash_of(second), hash_of(first)])
    assert not is_one_of(hash_of(first), [hash_of(second)])
    assert not is_one_of(hash_of(first), [])


def change(file: Path, text: str) -> None:
    """As an editor does it: another file takes its place."""
    other = file.with_suffix(".new")
    other.write_text(text)
    os.replace(other, file)


def test_a_change_holds_and_a_broken_one_keeps_the_old(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "sites.toml"
    file.write_text("[shop]")
    told: list[Registry] = []
    watched = Watched(file, {}, on_change=told.append)
    assert not watched.refresh()
    change(file, "[shop]\n[blog]")
    assert watched.refresh()
    assert list(watched.current.sites) == ["shop", "blog"]
    assert told == [watched.current]
    with caplog.at_level(logging.ERROR):
        change(file, "[shop]\norigins = 7")
        assert not watched.refresh()
        assert not watched.refresh()
    assert f"{file}:2:" in watched.error
    assert caplog.text.count(f"{file}:2:") == 1, "it is said once"
    assert list(watched.current.sites) == ["shop", "blog"]
    file.unlink()
    assert not watched.refresh()
    assert "no such file" in watched.error
    change(file, "[new]")
    assert watched.refresh()
    assert (list(watched.current.sites), watched.error) == (["new"], "")


def test_files_that_come_and_go_in_a_directory_are_seen(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text("")
    watched = Watched(tmp_path, {})
    (tmp_path / "blog.toml").write_text("")
    assert watched.refresh()
    assert set(watched.current.sites) == {"shop", "blog"}
    (tmp_path / "shop.toml").unlink()
    assert watched.refresh()
    assert set(watched.current.sites) == {"blog"}


def test_a_registry_that_is_wrong_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match="no such file"):
        Watched(tmp_path / "none", {})
