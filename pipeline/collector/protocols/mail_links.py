"""Our own open pixel and click links for e-mails: ``/mail/SITE/open.gif`` and ``/mail/SITE/click``.

    /mail/shop/open.gif?user_id=u1&email_id=spring-1&campaign=spring&sig=HEX
    /mail/shop/click?user_id=u1&email_id=spring-1&url=https%3A%2F%2Fshop.example%2F&sig=HEX

``sig``, the last that the site writes, is the HMAC-SHA256 in hex, with its secret ``mail``, of all before ``&sig=``,
path included; what tools add after it (``utm_…``, ``fbclid``) is not read. A link leads only where a signature or the
site's own domains say it may: no open redirect. An open is an image whatever is wrong with it. ``HEAD`` is a scanner's
look, and no hit. Both are answered also while no hit can be taken: a reader must not stand before a closed door.
"""

import re
from string import punctuation
from typing import Any, Final
from urllib.parse import quote

from pipeline.collector.protocols.base import IMAGE, NO_STORE, Answer, Event, Parsed, Request, route
from pipeline.collector.protocols.fields import fitted, parameters
from pipeline.collector.protocols.signatures import is_hex_hmac
from pipeline.collector.protocols.urls import host_of

_FIELDS: Final = ("user_id", "visitor_id", "email_id", "campaign", "url", "sig")
_TARGET = re.compile(r"https?://[^\s\\\x00-\x1f\x7f]{1,2000}")
# Image proxies fetch what their users may never see: Apple's before anyone does, Gmail's once for all.
_MACHINES = re.compile(r"GoogleImageProxy|YahooMailProxy|^Mozilla/5\.0$")


def parse_open(request: Request) -> Parsed:
    """The image."""
    query, is_signed = _read(request)
    hit = _hit("email_open", query)
    agent = request.headers.get("User-Agent", "")
    if _MACHINES.search(agent):
        hit["props"] |= {"client": agent, "machine": True}
        hit["user_agent"] = "Mozilla/5.0"  # the proxy's own would be taken for a bot's
    return Parsed((_event(request, hit, is_signed),), IMAGE, is_urgent=True)


def parse_click(request: Request) -> Parsed:
    """To where the link leads."""
    query, is_signed = _read(request)
    target = query.get("url", "")
    event = _event(request, {**_hit("email_click", query), "url": target}, is_signed)
    if not _TARGET.fullmatch(target) or not (is_signed or _is_own(request, target)):
        message = "this link is not signed, and does not lead to a domain of the site"
        return Parsed(answer=Answer(400, message.encode(), "text/plain"), rejected=message)
    location = quote(target, safe=punctuation)  # a header holds ASCII, a url in an e-mail any letters
    answer = Answer(302, headers={"Location": location, "Referrer-Policy": "no-referrer", **NO_STORE})
    return Parsed(() if request.method == "HEAD" else (event,), answer, is_urgent=True)


def _event(request: Request, hit: dict[str, Any], is_signed: bool) -> Event:
    hit["ip"] = request.ip  # the reader's: he comes himself, though the site has signed for him
    return Event(fitted(hit), _site(request), is_signed=is_signed)


def _hit(event: str, query: dict[str, str]) -> dict[str, Any]:
    rest = {name: value for name, value in query.items() if name not in _FIELDS}
    return {
        "event": event,
        "user_id": query.get("user_id", ""),
        "visitor_id": query.get("visitor_id", ""),
        "channel": "email",
        "campaign": {"medium": "email", "name": query.get("campaign", "")},
        "props": {"email_id": query.get("email_id", ""), **rest},
    }


def _site(request: Request) -> str:
    return request.path.split("/")[2]


def _read(request: Request) -> tuple[dict[str, str], bool]:
    """The parameters, and whether they are signed. Nothing is read that others have added to a signed link."""
    secret = request.sites.secret_of(_site(request), "mail")
    query, mark, rest = request.query.rpartition("&sig=")
    message = f"{request.path}?{query}".encode(errors="replace")
    if secret and mark and is_hex_hmac(secret, message, rest.partition("&")[0]):
        return parameters(query), True
    return parameters(request.query), False


def _is_own(request: Request, target: str) -> bool:
    host = host_of(target)
    if "@" in target.partition("://")[2].partition("/")[0]:
        return False  # browsers and parsers need not agree on whose host it is
    return any(host == own or host.endswith(f".{own}") for own in request.sites.domains_of(_site(request)))


ROUTES = (
    route("mail", "GET", r"/mail/[\w.-]{1,64}/open\.gif", parse_open),
    route("mail", "GET HEAD", r"/mail/[\w.-]{1,64}/click", parse_click),
)
