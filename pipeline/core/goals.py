"""Which hits are conversions: those of a goal's event, and views of a page whose path matches a goal's glob.

Globs (``*`` any characters, ``?`` one, ``[ab]`` one of) match the whole path of the url, case counting.
Scheme, host, query and fragment are no part of it: ``/thanks*`` is also
``https://shop.example/thanks/42?from=mail``. A hit without a url matches no glob.
"""

import re
from collections.abc import Iterable
from fnmatch import translate

DEFAULT_GOALS = ("purchase", "sign_up", "subscribe", "generate_lead")
VIEWS = frozenset(("page_view", "screen_view"))

_PATH = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)")


class Goals:
    """The goals of the settings."""

    __slots__ = ("_events", "_path_matches")

    def __init__(self, events: Iterable[str] = DEFAULT_GOALS, urls: Iterable[str] = ()) -> None:
        self._events = frozenset(events)
        globs = "|".join(map(translate, urls))
        self._path_matches = re.compile(globs).match if globs else None

    def matches(self, event: str, url: str) -> bool:
        """True if the hit is a conversion. Never raises, whatever the text."""
        if event in self._events:
            return True
        if self._path_matches is None or not url or event not in VIEWS:
            return False
        path = _PATH.match(url)
        return path is not None and self._path_matches(path[1] or "/") is not None
