"""What the words of a hit say, worked out once for each distinct combination: the page, the traffic, the device.

Each answer has a number, so that a batch's answers are columns of numbers, and a question about all hits of a batch is
asked once for each number. Numbers are good until :meth:`Looks.trim` is called, between two batches.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.core.channels import Classifier, Traffic
from pipeline.core.devices import UNKNOWN, Device
from pipeline.core.goals import VIEWS, Goals
from pipeline.core.slots import Array, Index
from schemas.hit import Campaign

VIEW, OTHER, BACKGROUND = range(3)
MOST_REMEMBERED: Final = 100_000  # of each table; about 300 bytes each


class Page(NamedTuple):
    """An event on a page. ``url`` is the one object that all hits with this text share."""

    event: str
    url: str
    is_goal: bool


class Looks:
    """The tables of one partition."""

    def __init__(self, goals: Goals, classifier: Classifier, background: frozenset[str]) -> None:
        self._goals, self._classifier, self._background = goals, classifier, background
        self._forget()

    def _forget(self) -> None:
        self.pages: list[Page] = []
        self.traffics: list[Traffic] = []
        self.devices: list[Device] = []
        # The page's place and, in the lowest bits, its kind and goal; the device's place and whether it is a bot.
        self._page: dict[tuple[str, str], int] = {}
        self._traffic: dict[tuple[str, str, str | None, Campaign | None], int] = {}
        self._traffic_code: dict[Traffic, int] = {}
        self._device: dict[str | None, int] = {}

    def trim(self) -> bool:
        """Forget everything when it has become much: then all numbers are given anew."""
        is_much = max(len(self._page), len(self._traffic), len(self._device)) > MOST_REMEMBERED
        if is_much:
            self._forget()
        return is_much

    def page_codes(self, events: Sequence[str], urls: Sequence[str]) -> tuple[Index, Index, Array]:
        """Places in ``pages``, the kinds, and which are goals."""
        get, add = self._page.get, self._add_page
        codes = [
            add(*pair) if (code := get(pair)) is None else code for pair in zip(events, urls, strict=True)
        ]
        found = np.array(codes, np.int64)
        return found >> 3, (found >> 1) & 3, (found & 1).astype(np.bool_)

    def traffic_codes(
        self,
        urls: Sequence[str],
        referrers: Sequence[str],
        channels: Sequence[str | None],
        campaigns: Sequence[Campaign | None],
    ) -> Index:
        """Places in ``traffics``."""
        get, add = self._traffic.get, self._add_traffic
        codes = [
            add(*words) if (code := get(words)) is None else code
            for words in zip(urls, referrers, channels, campaigns, strict=True)
        ]
        return np.array(codes, np.int64)

    def device_codes(self, agents: Sequence[str | None]) -> tuple[Index, Array]:
        """Places in ``devices``, and which are bots."""
        get, add = self._device.get, self._add_device
        found = np.array([add(agent) if (code := get(agent)) is None else code for agent in agents], np.int64)
        return found >> 1, (found & 1).astype(np.bool_)

    def _add_page(self, event: str, url: str) -> int:
        kind = VIEW if event in VIEWS else BACKGROUND if event in self._background else OTHER
        is_goal = self._goals.matches(event, url)
        code = self._page[event, url] = len(self.pages) << 3 | kind << 1 | is_goal
        self.pages.append(Page(event, url, is_goal))
        return code

    def _add_traffic(self, url: str, referrer: str, channel: str | None, campaign: Campaign | None) -> int:
        found = self._classifier.traffic(url, referrer, channel or "", campaign)
        code = self._traffic_code.setdefault(found, len(self.traffics))
        if code == len(self.traffics):
            self.traffics.append(found)
        self._traffic[url, referrer, channel, campaign] = code
        return code

    def _add_device(self, agent: str | None) -> int:
        found = self._classifier.device(agent) if agent else UNKNOWN
        code = self._device[agent] = len(self.devices) << 1 | found.bot
        self.devices.append(found)
        return code
