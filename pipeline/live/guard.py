"""Who may look at the page: it shows persons.

Without a token only this machine may, and only if the server listens on loopback, the peer and the Host that it
asks for are loopback (no name that somebody else's DNS points here), and no proxy stands in between. With a token,
set as ``page_token``, everybody needs it: as a cookie that the page sets, or as ``Authorization: Bearer``.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

COOKIE = "masir_page"
_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


class Verdict(StrEnum):
    """``CLOSED``: nobody may look before a token is set."""

    OPEN = "open"
    TOKEN_WANTED = "token_wanted"
    CLOSED = "closed"


class Guard:
    """``token``: "" for none. ``host``: where the server listens."""

    def __init__(self, token: str, host: str) -> None:
        self._token = token.encode()
        self._cookie = blake2b(b"page", key=self._token[:64], digest_size=32).hexdigest()
        self._is_local = is_loopback(host)

    def judge(self, headers: Mapping[str, str], cookies: Mapping[str, str], peer: str) -> Verdict:
        """``peer``: the address of the other side."""
        if self._token:
            kind, _, given = headers.get("Authorization", "").partition(" ")
            is_known = compare_digest(_bytes(cookies.get(COOKIE, "")), _bytes(self._cookie))
            is_known |= kind.lower() == "bearer" and self.is_token(given)
            return Verdict.OPEN if is_known else Verdict.TOKEN_WANTED
        is_near = self._is_local and is_loopback(peer) and is_loopback(_host_of(headers))
        return Verdict.OPEN if is_near and not any(proxy in headers for proxy in _PROXIES) else Verdict.CLOSED

    def is_token(self, given: str) -> bool:
        """Whether this is the token."""
        return bool(self._token) and compare_digest(_bytes(given), self._token)

    @property
    def cookie(self) -> str:
        """Its value for those who have the token; the token itself is not in it."""
        return self._cookie


def _bytes(given: str) -> bytes:
    return given.encode("utf-8", "surrogateescape")  # as HTTP gives what is no UTF-8


def _host_of(headers: Mapping[str, str]) -> str:
    try:
        return urlsplit(f"//{headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, for itself only."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
