"""Who is sending, and may it? Answers from one reading of the registry; immutable, so a change swaps it whole.

A sender is known by a server key (a secret: it may say what it likes about its own site), by a browser key, or by the
site's name where the site lists no keys for the protocol. Origins are asked of browsers only: of who has no server key.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pipeline.collector.sites.keys import hash_of, is_one_of
from pipeline.collector.sites.site import Site


class Trust(StrEnum):
    """How much the sender's word counts."""

    BROWSER = "browser"
    SERVER = "server"


class Denial(StrEnum):
    """Why a request or a hit is not taken: a closed list, for a metric's label."""

    UNKNOWN_SITE = "unknown_site"
    UNKNOWN_KEY = "unknown_key"
    ORIGIN = "origin"
    OTHER_SITE = "other_site"
    BACKDATED = "backdated"
    RATE = "rate"
    PRIVACY = "privacy"


class Denied(Exception):  # noqa: N818  (it is an answer)
    """The sender may not. ``message`` is for the sender: it repeats nothing secret."""

    def __init__(self, denial: Denial, message: str) -> None:
        super().__init__(message)
        self.denial = denial


class Caller(NamedTuple):
    """A sender that may send for ``site``."""

    site: Site
    trust: Trust


class Registry:
    """``environ`` and ``read``: where signing secrets are found (``env:``, ``file:``)."""

    def __init__(
        self,
        sites: Iterable[Site],
        *,
        environ: Mapping[str, str],
        read: Callable[[Path], bytes] = Path.read_bytes,
    ) -> None:
        self.sites = {site.name: site for site in sites}
        self._environ = environ
        self._read = read
        self._by_key = {
            (protocol, key): site
            for site in self.sites.values()
            for protocol, keys in site.keys.items()
            for key in keys
        }

    def caller(
        self, protocol: str, key: str, *, origin: str, secret: str = "", is_own_page: bool = False
    ) -> Caller:
        """Who ``key`` (public) or ``secret`` stands for; :class:`Denied` if nobody, or not from this origin.

        ``origin``: the request's Origin, or that of its Referer; "" when it has neither. ``is_own_page``: a page that
        we have served sends it, which may.
        """
        if secret:
            owner = self._owner_of(protocol, secret)
            if owner is not None:
                return Caller(owner, Trust.SERVER)
        if key and (owner := self._owner_of(protocol, key)) is not None:
            return Caller(owner, Trust.SERVER)
        site = self.site_of(protocol, key)
        if site is None:
            if key in self.sites:
                raise Denied(Denial.UNKNOWN_KEY, f"site {key} wants one of its keys for {protocol}")
            denial = Denial.UNKNOWN_SITE if key else Denial.UNKNOWN_KEY
            raise Denied(denial, "this site or key is not known here")
        if not (is_own_page or is_allowed(origin, site.origins)):
            raise Denied(Denial.ORIGIN, "this origin may not send for the site")
        return Caller(site, Trust.BROWSER)

    def signer(self, site: str) -> Caller:
        """Who has signed a request with the secret of ``site``."""
        known = self.sites.get(site)
        if known is None:
            raise Denied(Denial.UNKNOWN_SITE, "this site is not known here")
        return Caller(known, Trust.SERVER)

    def site_of(self, protocol: str, key: str) -> Site | None:
        """The site that a public key or a name stands for."""
        site = self._by_key.get((protocol, key))
        if site is None:
            named = self.sites.get(key)
            if named is not None and protocol not in named.keys:
                return named
        return site

    def secret_of(self, site: str, protocol: str) -> bytes | None:
        """The signing secret of the site's webhooks, read each time (a file may be rotated); None if there is none."""
        known = self.sites.get(site)
        kind, _, place = (known.secrets.get(protocol, "") if known else "").partition(":")
        if kind == "env":
            return self._environ.get(place, "").encode() or None
        if kind == "file":
            try:
                return self._read(Path(place)).strip() or None
            except OSError:
                return None
        return None

    def _owner_of(self, protocol: str, secret: str) -> Site | None:
        key_hash = hash_of(secret)
        owner = None
        for site in self.sites.values():
            if is_one_of(key_hash, site.server_keys.get(protocol, ())):
                owner = site
        return owner


def is_allowed(origin: str, origins: tuple[str, ...]) -> bool:
    """May this origin send? ``*.`` stands for any subdomain, not for the domain itself. No origins: any may."""
    if not origins:
        return True
    if not origin:
        return False
    scheme, _, host = origin.lower().partition("://")
    for allowed in origins:
        known_scheme, _, known = allowed.partition("://")
        if scheme != known_scheme:
            continue
        if host == known or (
            known.startswith("*.") and host.endswith(known[1:]) and len(host) > len(known) - 1
        ):
            return True
    return False


def origin_of(origin: str | None, referer: str | None) -> str:
    """The origin of a request, from its headers: ``null`` and what is no url count as none."""
    if origin and origin != "null":
        return origin
    if referer:
        try:
            parts = urlsplit(referer)
        except ValueError:
            return ""
        if parts.scheme and parts.netloc:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return ""
