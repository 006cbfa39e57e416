"""What the words of a hit say, worked out once for each distinct combination: the page, the traffic, the device.

Each answer has a number, so that a batch's answers are columns of numbers, and a question about all hits of a batch is
asked once for each number. Numbers are good until :meth:`Looks.trim` is called, between two batches.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.core.channels import Classifier, Traffic, language, origin
from pipeline.core.coded import Coded, combined
from pipeline.core.devices import UNKNOWN, Device
from pipeline.core.goals import VIEWS, Goals
from pipeline.core.persons.notable import SURVEY, Notables
from pipeline.core.site_rules import SiteRules
from pipeline.core.slots import Array, Index
from schemas.hit import Campaign

VIEW, OTHER, BACKGROUND = range(3)
_PAGE_SHIFT, _TOUCH_SHIFT, _TOUCH, _LEAST_TOUCH = 8, 3, 31, SURVEY  # the bits of a page's number
MOST_REMEMBERED: Final = 100_000  # of each table; about 300 bytes each


class Page(NamedTuple):
    """An event on a page. ``url`` is the one object that all hits with this text share. ``models``: those that apply to
    its site; None: all.

    ``origin`` and ``query`` are numbers of texts: all that matters of the url for the traffic.
    """

    event: str
    url: str
    is_goal: bool
    models: frozenset[str] | None
    origin: int
    query: int


_Words = tuple[int, int, int, str, Campaign | None]  # origin, query and sender, channel and campaign as sent
_EMPTY: Final = 0


class PageCodes(NamedTuple):
    """Of each hit: its place in ``pages``, the kind of its event, whether it is a goal, and as what it is notable."""

    page: Index
    kind: Index
    is_goal: Array
    touch: Index


class Looks:
    """The tables; all partitions of a process may share them."""

    def __init__(
        self,
        goals: Goals,
        classifier: Classifier,
        background: frozenset[str],
        notables: Notables,
        sites: SiteRules | None = None,
    ) -> None:
        self._goals, self._classifier, self._background = goals, classifier, background
        self._notables = notables
        self._sites = sites or SiteRules()
        self._version = 0
        self._forget()

    def _forget(self) -> None:
        self.pages: list[Page] = []
        self.traffics: list[Traffic] = []
        self.devices: list[Device] = []
        # The page's place and, in the lowest bits, the rest of its codes; the device's place and whether it is a bot.
        self._page: dict[tuple[str, ...], int] = {}
        self._texts = [""]
        self._text_code = {"": _EMPTY}
        self._language: dict[str | None, str] = {None: "", "": ""}
        self._sender: dict[str, int] = {"": _EMPTY}
        self._traffic: dict[_Words, int] = {}
        self._traffic_code: dict[Traffic, int] = {}
        self._device: dict[str | None, int] = {}

    def trim(self) -> bool:
        """Forget everything when it has become much, or sites want it otherwise: then all numbers are given anew."""
        tables: list[dict[Any, Any]] = [self._page, self._sender, self._traffic, self._device, self._language]
        is_much = max(len(table) for table in tables) > MOST_REMEMBERED
        if self._version != self._sites.version:
            self._version, is_much = self._sites.version, True
            self._classifier = self._sites.classifier or self._classifier
        if is_much:
            self._forget()
        return is_much

    def page_codes(self, events: Coded, urls: Coded, sites: Coded) -> PageCodes:
        """Sites with own goals or models have own pages."""
        get, add = self._page.get, self._add_page
        own = self._sites.own
        columns = (events, urls, sites) if own else (events, urls)
        names = combined(*columns)
        keys = [name if name[2:] and name[2] in own else name[:2] for name in names.values]
        codes = [add(*key) if (code := get(key)) is None else code for key in keys]
        found = np.array(codes, np.int64)[names.codes]
        touch = (found >> _TOUCH_SHIFT & _TOUCH) + _LEAST_TOUCH
        return PageCodes(found >> _PAGE_SHIFT, found >> 1 & 3, (found & 1).astype(np.bool_), touch)

    def traffic_codes(self, pages: Index, referrers: Coded, channels: Coded, campaigns: Coded) -> Index:
        """Places in ``traffics``."""
        get, add = self._sender.get, self._add_sender
        senders = [add(one) if (code := get(one)) is None else code for one in referrers.values]
        used = Coded(pages, self.pages).compact().map(lambda page: (page.origin, page.query))
        words = combined(used.distinct(), Coded(referrers.codes, senders).distinct(), channels, campaigns)
        codes = [
            self._code_of((*page, sender, channel or "", campaign))
            for page, sender, channel, campaign in words.values
        ]
        return np.array(codes, np.int64)[words.codes]

    def device_codes(self, agents: Coded) -> tuple[Index, Array]:
        """Places in ``devices``, and which are bots."""
        get, add = self._device.get, self._add_device
        codes = [add(agent) if (code := get(agent)) is None else code for agent in agents.values]
        found = np.array(codes, np.int64)[agents.codes]
        return found >> 1, (found & 1).astype(np.bool_)

    def languages(self, tags: Coded) -> Coded:
        """The first tag of each; "" where there is none."""
        get, add = self._language.get, self._add_language
        return tags.map(lambda one: add(one) if (found := get(one)) is None else found)

    def _add_page(self, event: str, url: str, *site: str) -> int:
        kind = VIEW if event in VIEWS else BACKGROUND if event in self._background else OTHER
        goals, models = self._goals, None
        if site:
            goals = self._sites.goals.get(site[0], goals)
            models = self._sites.models.get(site[0])
        is_goal = goals.matches(event, url)
        touch = self._notables.kind(event, url, is_goal) - _LEAST_TOUCH
        code = len(self.pages) << _PAGE_SHIFT | touch << _TOUCH_SHIFT | kind << 1 | is_goal
        self._page[event, url, *site] = code
        words = self._text(origin(url)), self._text(self._classifier.query(url))
        self.pages.append(Page(event, url, is_goal, models, *words))
        return code

    def _add_language(self, tags: str | None) -> str:
        found = self._language[tags] = language(tags or "")
        return found

    def _add_sender(self, referrer: str) -> int:
        code = self._sender[referrer] = self._text(origin(referrer))
        return code

    def _text(self, text: str) -> int:
        code = self._text_code.setdefault(text, len(self._texts))
        if code == len(self._texts):
            self._texts.append(text)
        return code

    def _code_of(self, words: _Words) -> int:
        code = self._traffic.get(words)
        if code is None:
            page, query, sender = (self._texts[word] for word in words[:3])
            found = self._classifier.traffic_of(page, query, sender, *words[3:])
            code = self._traffic[words] = self._traffic_code.setdefault(found, len(self.traffics))
            if code == len(self.traffics):
                self.traffics.append(found)
        return code

    def _add_device(self, agent: str | None) -> int:
        found = self._classifier.device(agent) if agent else UNKNOWN
        code = self._device[agent] = len(self.devices) << 1 | found.bot
        self.devices.append(found)
        return code
