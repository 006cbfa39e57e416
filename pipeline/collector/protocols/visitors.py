"""The name of a visitor whose tracker gives none: a hash of site, address, user agent and a salt that changes.

Of the protocols without ids, Plausible's visitors last a day and Umami's a month; what a hash was made of cannot be
told from it once its salt is gone. The address may come from ``X-Forwarded-For``, whoever sends it: who lies about
it only gives himself another name, as he could by another user agent.
"""

from hashlib import blake2b

from pipeline.collector.addresses import bare
from pipeline.collector.protocols.base import Request


def visitor_of(request: Request, key: str, salt: str, *, ip: str = "", user_agent: str = "") -> str:
    """32 hex digits. ``ip`` and ``user_agent``: those that the body names, if it does."""
    headers = request.headers
    address = ip or bare(headers.get("X-Forwarded-For", "").partition(",")[0].strip()) or request.ip
    agent = user_agent or headers.get("User-Agent", "")
    return blake2b(
        "\x1f".join((key, address, agent, salt)).encode(errors="replace"), digest_size=16
    ).hexdigest()
