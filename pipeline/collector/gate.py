"""The gate between what was parsed and what is published: whose hit it is, whether it may come in, and with how much
of the person in it. Pure but for the registry and the salts that it is given.

    event -> site (key, origin, secret) -> not backdated -> consent and do-not-track -> country -> address cut

Without a registry the key is the site's name and any origin may send; privacy and countries hold all the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pipeline.collector.countries import Countries, nowhere
from pipeline.collector.privacy import (
    PrivacyRules,
    anonymous_id,
    consent_of,
    kept_id,
    kept_ip,
    make_anonymous,
    policy_of,
)
from pipeline.collector.protocols.base import Event, Refusal, Request
from pipeline.collector.sites.registry import Caller, Denial, Denied, Registry, Trust, origin_of
from pipeline.collector.sites.site import Site
from pipeline.collector.tokens import Tokens
from pipeline.core.decode import Flaw
from pipeline.core.decode import decode as judge
from pipeline.core.event_time import SKEW_TOLERANCE_MS, to_ms
from schemas.hit import MAX_HIT_BYTES, Hit
from schemas.outcome import Reason

OWN = "masir"  # our own form: /v1/hits and the pixel
_OWN_PAGES = frozenset({"survey"})  # protocols with pages that the collector serves itself
_BEARER = "bearer "
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class SiteGate:
    """A ``protocols.base.Gate``, and the ``Sites`` that protocols may ask. ``registry``: the newest, or None for any
    site; ``denied``: counts what was not let in; ``backdate_ms``: how old a hit may be that no secret vouches for.
    """

    def __init__(
        self,
        registry: Callable[[], Registry | None],
        *,
        rules: PrivacyRules | None = None,
        countries: Countries = nowhere,
        denied: Callable[[Denial], object] = lambda _: None,
        backdate_ms: int,
    ) -> None:
        self._registry = registry
        self._rules = rules or PrivacyRules()
        self._countries = countries
        self._denied = denied
        self._backdate_ms = backdate_ms
        self._tokens = Tokens()

    def __call__(self, protocol: str, request: Request, event: Event) -> str | Refusal:
        """The site of the event, whose hit is made fit to be kept; or why it is refused."""
        try:
            if event.is_signed:
                caller = self._signer(event.key)
            else:
                caller = self._caller(protocol, request, event.key, event.secret)
            site = caller.site.name if caller else event.key
            if isinstance(event.hit, dict):
                self._treat(event.hit, site, caller, request, event.consent)
        except Denied as denied:
            self._denied(denied.denial)
            return Refusal(denied.denial.value, "", str(denied))
        return site

    def raw(self, request: Request, raw: bytes) -> bytes | Refusal:
        """The same for one hit of our own form: its bytes as they came wherever nothing has to be changed."""
        registry = self._registry()
        if registry is None and not self._must_look(request, raw):
            return raw
        if len(raw) > MAX_HIT_BYTES:
            return raw  # nobody will look into it: a dead letter
        try:
            hit = _decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            if isinstance(judge(raw), Flaw):
                return raw  # a dead letter
            # The judge leaves fields unread, the gate none.
            return Refusal(Reason.BAD_VALUE.value, "", str(error))
        named = hit.get("site")
        if not isinstance(named, str):
            return raw
        before = dict(hit)
        try:
            caller = self._caller(OWN, request, *_credentials(request, named))
            if caller is not None and caller.site.name != named:
                raise Denied(Denial.OTHER_SITE, "this key is another site's")
            self._treat(hit, named, caller, request, consent_of(hit))
        except Denied as denied:
            self._denied(denied.denial)
            return Refusal(denied.denial.value, "site", str(denied))
        return raw if hit == before else _encode(hit)

    def _must_look(self, request: Request, raw: bytes) -> bool:
        headers = request.headers
        return (
            b'"ip"' in raw
            or b'"consent"' in raw
            or (self._rules.email_ids == "hash" and b"@" in raw)
            or b"\\u" in raw  # any of them may be written so
            or self._countries is not nowhere
            or (self._rules.do_not_track != "ignore" and ("DNT" in headers or "Sec-GPC" in headers))
        )

    def _caller(self, protocol: str, request: Request, key: str, secret: str) -> Caller | None:
        registry = self._registry()
        if registry is None:
            return None
        headers = request.headers
        origin = origin_of(headers.get("Origin"), headers.get("Referer"))
        is_ours = protocol in _OWN_PAGES and _is_same_origin(headers, origin)
        return registry.caller(protocol, key, origin=origin, secret=secret, is_own_page=is_ours)

    def _signer(self, site: str) -> Caller | None:
        registry = self._registry()
        return None if registry is None else registry.signer(site)

    def secret_of(self, site: str, protocol: str) -> bytes | None:
        """As :meth:`Registry.secret_of`; None without a registry."""
        registry = self._registry()
        return None if registry is None else registry.secret_of(site, protocol)

    def domains_of(self, site: str) -> tuple[str, ...]:
        """The site's own domains, if the registry knows any."""
        registry = self._registry()
        known = None if registry is None else registry.sites.get(site)
        return known.own_domains or () if known else ()

    def is_good_token(self, site: str, token: str, event: str) -> bool:
        """As :meth:`Tokens.is_good`."""
        return self._tokens.is_good(site, token, event)

    def _treat(
        self, hit: dict[str, Any], name: str, caller: Caller | None, request: Request, consent: str
    ) -> None:
        rules = self._rules
        site = caller.site if caller else None
        is_server = caller is None or caller.trust is Trust.SERVER
        if site is not None:
            rules = rules.of(site.privacy)
            _fill(hit, site)
            if not is_server and self._is_backdated(hit, request.received_ms):
                raise Denied(Denial.BACKDATED, "the hit is older than a browser may send")
        given = hit.get("ip")
        sender = given if isinstance(given, str) and given and is_server else request.ip
        policy = policy_of(request.headers, consent, rules)
        if policy == "drop":
            raise Denied(Denial.PRIVACY, "the person does not want to be tracked")
        # Then it is the server's address, and nobody's.
        is_relayed = caller is not None and is_server and not given
        if not hit.get("country") and not is_relayed and (country := self._countries(sender)):
            hit["country"] = country
        salt = request.day_salt.encode()
        if rules.email_ids == "hash":
            for name_of_id in ("user_id", "visitor_id"):  # an alias may be an address, too
                if isinstance(known := hit.get(name_of_id), str):
                    hit[name_of_id] = kept_id(known)
        if policy == "anonymous":
            agent = hit.get("user_agent") or request.headers.get("User-Agent", "")
            make_anonymous(hit, anonymous_id(name, sender, str(agent), salt))
        elif isinstance(given, str):
            kept = kept_ip(given, rules.ip, salt)
            if kept:
                hit["ip"] = kept
            else:
                del hit["ip"]

    def _is_backdated(self, hit: Mapping[str, Any], received_ms: int) -> bool:
        try:
            times = msgspec.convert({"site": "-", "event": "-", **_times(hit)}, Hit)
        except msgspec.ValidationError:
            return False  # the judge will say what is wrong with it
        if times.time is None:
            return False
        skew = 0 if times.sent_time is None else received_ms - to_ms(times.sent_time)
        corrected = to_ms(times.time) + (skew if abs(skew) > SKEW_TOLERANCE_MS else 0)
        return corrected < received_ms - self._backdate_ms


def _is_same_origin(headers: Mapping[str, str], origin: str) -> bool:
    """Browsers say so themselves, but over https alone; a proxy may have changed Host."""
    host = origin.partition("://")[2]
    return headers.get("Sec-Fetch-Site") == "same-origin" or (host != "" and host == headers.get("Host"))


def _times(hit: Mapping[str, Any]) -> dict[str, Any]:
    return {name: hit[name] for name in ("time", "sent_time") if name in hit}


def _fill(hit: dict[str, Any], site: Site) -> None:
    """What the site's owner has said once for all hits."""
    if site.currency and hit.get("revenue") is not None and not hit.get("currency"):
        hit["currency"] = site.currency


def _credentials(request: Request, named: str) -> tuple[str, str]:
    """(public key, secret) of a request in our own form; without one the site's name stands for itself."""
    authorization = request.headers.get("Authorization", "")
    secret = ""
    if authorization[: len(_BEARER)].lower() == _BEARER:
        secret = authorization[len(_BEARER) :].strip()
    return request.headers.get("X-Masir-Key", "") or named, secret
