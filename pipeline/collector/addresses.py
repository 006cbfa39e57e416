"""Whose address a request comes from. Pure.

``X-Forwarded-For`` is written by anybody, so it counts only as far as it was written by proxies that the settings
trust: the last address that is not a trusted proxy's is the sender's.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
_MAX_HOPS = 16


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """``10.0.0.0/8`` or a single address; ValueError names what is none."""
    return tuple(ip_network(text) for text in texts)


def sender_of(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """``peer``: the other end of the connection; ``forwarded``: X-Forwarded-For, "" if there is none."""
    if not trusted or not _is_within(peer, tuple(trusted)):
        return peer
    sender = peer
    for hop in reversed(forwarded.split(",")[-_MAX_HOPS:]):
        address = bare(hop.strip())
        if not address:
            break
        sender = address
        if not _is_within(address, tuple(trusted)):
            break
    return sender


@lru_cache(maxsize=16_384)
def network_of(ip: str) -> str:
    """Who shares a rate: an IPv4 address, or the /64 that one IPv6 customer has; "" for what is no address."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


@lru_cache(maxsize=16_384)
def _is_within(ip: str, trusted: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in trusted)


def bare(hop: str) -> str:
    """The address of a hop, which some proxies write with its port; "" for what is none."""
    text = hop[1 : hop.index("]")] if hop.startswith("[") and "]" in hop else hop
    if text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
