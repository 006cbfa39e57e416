"""What a hit may still say of a person when it reaches the topic. Pure; salts and rules are handed in.

An address is cut (IPv4 to /24, IPv6 to /48), replaced by a hash that changes every day, or left out. A person who asks
not to be tracked (DNT, Sec-GPC) or has not given consent is made anonymous or left out, as the site says: anonymous is
one id per site, network, browser and day, and no user, order or name.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b, sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from msgspec import Struct

from pipeline.collector.sites.site import EmailRule, IpRule, Policy, Privacy

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PERSONAL = ("user_id", "order_id", "ip")
_NAMES_SOMEBODY = re.compile(
    r"user|visitor|customer|client|distinct|anonymous|device|session|e?mail$|phone", re.I
)
_REFUSED = frozenset({"denied", "false", "0", "no", "refused", "opt_out", "opt-out"})


class PrivacyRules(Struct, frozen=True, kw_only=True):
    """What holds where a site does not say otherwise."""

    ip: IpRule = "cut"
    do_not_track: Policy = "ignore"
    consent: Policy = "anonymous"
    email_ids: EmailRule = "keep"

    def of(self, site: Privacy) -> "PrivacyRules":
        """These rules with the site's own in their place."""
        return PrivacyRules(
            ip=site.ip or self.ip,
            do_not_track=site.do_not_track or self.do_not_track,
            consent=site.consent or self.consent,
            email_ids=site.email_ids or self.email_ids,
        )


def kept_ip(ip: str, rule: IpRule, day_salt: bytes) -> str:
    """The address as it may be stored; "" for what is none."""
    try:
        address = ip_address(ip.strip())
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if rule == "cut":
        return str(ip_network((address, 24 if address.version == 4 else 48), strict=False).network_address)
    return _hash(day_salt, address.packed) if rule == "hash" else ""


def anonymous_id(site: str, ip: str, user_agent: str, day_salt: bytes) -> str:
    """One id for all that looks alike today: who knows the salt of the day cannot get the address out of it either."""
    network = kept_ip(ip, "cut", b"")
    looks = (site.encode(), network.encode(), user_agent.encode("utf-8", "replace"))
    return "anon-" + _hash(day_salt, *looks)


def policy_of(headers: Mapping[str, str], consent: str, rules: PrivacyRules) -> Policy:
    """What is to become of a hit. ``headers``: any case; ``consent``: what the wire says, "" if nothing."""
    asks = headers.get("DNT", "").strip() == "1" or headers.get("Sec-GPC", "").strip() == "1"
    found: set[Policy] = {rules.do_not_track} if asks else set()
    if consent.strip().lower() in _REFUSED:
        found.add(rules.consent)
    return "drop" if "drop" in found else "anonymous" if "anonymous" in found else "ignore"


def consent_of(hit: Mapping[str, Any]) -> str:
    """What a hit of our own form says: ``props.consent``, a text or false."""
    props = hit.get("props")
    consent = props.get("consent", "") if isinstance(props, dict) else ""
    return "denied" if consent is False else consent if isinstance(consent, str) else ""


def make_anonymous(hit: dict[str, Any], visitor_id: str) -> None:
    """Takes out who it was. Of the props those stay that are plain values, are not named as ids and addresses are, and
    hold no e-mail address; those of ``identify`` are the person's own.
    """
    for field in _PERSONAL:
        hit.pop(field, None)
    hit["visitor_id"] = visitor_id
    props = hit.pop("props", None)
    if isinstance(props, dict) and hit.get("event") != "identify":
        hit["props"] = {name: value for name, value in props.items() if not _is_personal(name, value)}


def _is_personal(name: str, value: object) -> bool:
    if isinstance(value, str):
        return bool(_NAMES_SOMEBODY.search(name) or _EMAIL.search(value))
    return isinstance(value, dict | list) or bool(_NAMES_SOMEBODY.search(name))


def kept_id(given: str) -> str:
    """An id that is no e-mail address: of one SHA-256 in hex of the address in lower case, as others hash it."""
    address = given.strip().lower()
    return sha256(address.encode("utf-8", "replace")).hexdigest() if _EMAIL.fullmatch(address) else given


def _hash(salt: bytes, *parts: bytes) -> str:
    return blake2b(b"\x1f".join(parts), key=salt[:64], digest_size=12).hexdigest()
