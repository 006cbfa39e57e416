"""A site with signing secrets, for the tests of webhooks and links."""

from typing import Any

from msgspec.structs import replace

from pipeline.collector.tokens import Tokens

from .kit import Judged, request

SECRET = b"a secret of the shop"


class Shop:
    """The site ``shop`` has this secret for every protocol; no other site has any."""

    def __init__(self, secret: bytes | None = SECRET, domains: tuple[str, ...] = ()) -> None:
        self._secret = secret
        self._domains = domains
        self.is_good_token = Tokens().is_good

    def secret_of(self, site: str, _protocol: str) -> bytes | None:
        return self._secret if site == "shop" else None

    def domains_of(self, site: str) -> tuple[str, ...]:
        return self._domains if site == "shop" else ()


def judged_for(sites: Shop, method: str, target: str, body: bytes | Any = b"", **headers: str) -> Judged:
    """A request by hand to a collector that knows these sites."""
    return Judged(replace(request(method, target, body, **headers), sites=sites))
