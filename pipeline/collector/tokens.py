"""One-time tokens of signed requests: each is good for the one event that it came with first.

Mailgun signs a time and a token and not what it tells: whoever has seen one request could sign anything with it for as
long as the time is recent. Sending the same event again is fine. In memory, of this process: the oldest go first.
"""

from typing import Final

MOST: Final = 65_536


class Tokens:
    """``most``: how many are remembered."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._events: dict[tuple[str, str], int] = {}

    def is_good(self, site: str, token: str, event: str) -> bool:
        """Is this the first event of the token, or the same again?"""
        known = self._events.setdefault((site, token), hash(event))
        if len(self._events) > self._most:
            del self._events[next(iter(self._events))]
        return known == hash(event)
