"""Which hits are conversions: those of a goal's event, and views of a page whose path matches a goal's glob.

Globs are those of :mod:`pipeline.core.globs`, on the path alone: ``/thanks*`` is also
``https://shop.example/thanks/42?from=mail``. A hit without a url matches no glob.
"""

from collections.abc import Iterable

from pipeline.core.globs import GlobSet, path_of

DEFAULT_GOALS = ("purchase", "sign_up", "subscribe", "generate_lead")
VIEWS = frozenset(("page_view", "screen_view"))


class Goals:
    """The goals of the settings: ``events`` by name, ``urls`` as globs on the path of a view."""

    __slots__ = ("_events", "_urls")

    def __init__(self, events: Iterable[str] = DEFAULT_GOALS, urls: Iterable[str] = ()) -> None:
        self._events = frozenset(events)
        globs = tuple(urls)
        self._urls = GlobSet(globs) if globs else None

    def matches(self, event: str, url: str) -> bool:
        """True if the hit is a conversion."""
        if event in self._events:
            return True
        if self._urls is None or not url or event not in VIEWS:
            return False
        return bool(self._urls.matching(path_of(url)))
