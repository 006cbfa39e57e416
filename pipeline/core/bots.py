"""Is a user agent a known bot? The list is that of CrawlerDetect (package ``crawlerdetect``, MIT).

Its 1,500 patterns, joined in one Python expression, cost 370 us a user agent; ua-parser's regex set looks
first which of them can match at all, and costs 20. Made for any case of letters it takes 220 ms to begin with, and 25
if patterns and user agents are in small letters. No user agent is not a bot. Any text is accepted;
nothing raises but :class:`ValueError` when a detector is made with an extra pattern that is not a regular
expression.
"""

import re
from collections.abc import Iterable
from functools import cache

from crawlerdetect.providers.crawlers import data as crawlers
from crawlerdetect.providers.exclusions import data as exclusions
from ua_parser_rs import DeviceExtractor

_LOOK_AROUND = re.compile(r"\(\?<?[=!]")  # the regex set has none
_CAPITAL_HAS_A_MEANING = re.compile(r"\\[A-Z]|\[[^]]*[A-Z]|[^\0-\x7f]")  # such as of \S, [A-z]
# All that is the same as an ASCII letter where case does not count: capitals, the sign for kelvin, the long s.
_SMALL = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ\u212a\u017f", "abcdefghijklmnopqrstuvwxyzks")


class BotDetector:
    """``extra_patterns``: regular expressions, in any case of letters, found anywhere in the user agent."""

    def __init__(self, extra_patterns: Iterable[str] = ()) -> None:
        patterns = tuple(extra_patterns)
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"bot pattern {pattern!r} is not a regular expression: {error}") from error
        self._extra = _any_of(patterns)

    def is_bot(self, user_agent: str) -> bool:
        """``user_agent``: text without lone surrogates."""
        if self._extra is not None and self._extra.search(user_agent):
            return True
        known, known_by_look_around, browser_words = _known()
        rest = browser_words.sub("", user_agent.strip())
        return known.extract(_small(rest)) is not None or known_by_look_around.search(rest) is not None


def _small(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_SMALL)


@cache
def _known() -> tuple[DeviceExtractor, re.Pattern[str], re.Pattern[str]]:
    plain = [pattern for pattern in crawlers if not _LOOK_AROUND.search(pattern)]
    others = [pattern for pattern in crawlers if _LOOK_AROUND.search(pattern)]
    extractor = DeviceExtractor(
        (pattern, "i", "bot", None, None)
        if _CAPITAL_HAS_A_MEANING.search(pattern)
        else (pattern.lower(), None, "bot", None, None)
        for pattern in plain
    )
    return extractor, _any_of(others) or _NEVER, _any_of(exclusions) or _NEVER


_NEVER = re.compile(r"(?!)")


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(joined, re.IGNORECASE) if joined else None
