"""One site as its owner describes it. Pure; what types do not say is checked by :func:`flaws`.

``keys`` and ``server_keys``: protocol -> keys. A browser key stands in a page for all to read and only names the
site. A server key is a secret, kept as its hash (:mod:`pipeline.collector.sites.keys`). ``secrets``: protocol -> where
the signing secret of its webhooks is found, ``env:NAME`` or ``file:PATH``: it must be known in clear, so it stands
elsewhere.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pipeline.collector.protocols.table import ROUTES
from pipeline.collector.sites.keys import is_hash
from pipeline.zones import zone_of

Policy = Literal["ignore", "anonymous", "drop"]
IpRule = Literal["cut", "hash", "drop"]
EmailRule = Literal["keep", "hash"]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]

PROTOCOLS = frozenset({"masir", *(route.protocol for route in ROUTES)})
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ORIGIN = re.compile(
    r"(https?|capacitor|ionic|app)://(\*\.)?[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?"
)
_MAX_KEY_CHARS = 256


class Privacy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None: as the settings say. What each means: docs/privacy.md."""

    ip: IpRule | None = None
    do_not_track: Policy | None = None
    consent: Policy | None = None
    email_ids: EmailRule | None = None


class Site(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``origins`` empty: any. ``models``: stage models that apply. None: as the settings say; of models, all."""

    name: str = ""
    origins: tuple[str, ...] = ()
    keys: dict[str, tuple[str, ...]] = {}
    server_keys: dict[str, tuple[str, ...]] = {}
    secrets: dict[str, str] = {}
    own_domains: tuple[str, ...] | None = None
    goal_events: tuple[str, ...] | None = None
    goal_urls: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    time_zone: str | None = None
    currency: Currency | None = None
    privacy: Privacy = Privacy()


Flaw = tuple[tuple[str, ...], str]  # path within the site, message


def zones_of(sites: Iterable[Site]) -> dict[str, str]:
    """The time zones of those that name one."""
    return {site.name: site.time_zone for site in sites if site.time_zone is not None}


def models_of(sites: Iterable[Site]) -> dict[str, tuple[str, ...]]:
    """The stage models of those that name theirs."""
    return {site.name: site.models for site in sites if site.models is not None}


def check_protocol(name: str) -> None:
    """ValueError if nobody speaks it: keys under a misspelt name would leave the site open under its own."""
    if name not in PROTOCOLS:
        near = get_close_matches(name, sorted(PROTOCOLS), n=1) or sorted(PROTOCOLS)
        raise ValueError(f"{name!r} is no protocol; there is {', '.join(near)}")


def flaws(site: Site, models: Collection[str]) -> Iterator[Flaw]:
    """What is wrong with it. ``models``: names of those that there are."""
    for model in site.models or ():
        if model not in models:
            yield ("models",), f"{model!r} is no stage model; there is {', '.join(sorted(models))}"
    if site.time_zone is not None:
        try:
            zone_of(site.time_zone)
        except ValueError as error:
            yield ("time_zone",), str(error)
    if not _NAME.fullmatch(site.name):
        yield (), f"{site.name!r} is no name of a site: 1 to 64 of A-Z a-z 0-9 . _ -"
    for origin in site.origins:
        if not _ORIGIN.fullmatch(origin):
            yield (
                ("origins",),
                f"{origin!r} is no origin, such as https://shop.example or https://*.shop.example",
            )
    for field in ("keys", "server_keys", "secrets"):
        for protocol in getattr(site, field):
            try:
                check_protocol(protocol)
            except ValueError as error:
                yield (field, protocol), str(error)
    for protocol, keys in site.keys.items():
        if any(not 1 <= len(key) <= _MAX_KEY_CHARS or is_hash(key) for key in keys):
            yield ("keys", protocol), f"a browser key has 1 to {_MAX_KEY_CHARS} characters, and is not a hash"
    for protocol, hashes in site.server_keys.items():
        if not all(map(is_hash, hashes)):
            yield ("server_keys", protocol), "a server key is kept as its hash: `masir sites key` makes one"
    for protocol, source in site.secrets.items():
        if not re.fullmatch(r"env:\w+|file:.+", source):
            yield ("secrets", protocol), "where the secret is found is expected: env:NAME or file:PATH"
