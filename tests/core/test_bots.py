"""Bots: the known ones, real browsers, extra patterns, and the quick way against the library's own."""

import pytest
from crawlerdetect import CrawlerDetect
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.bots import BotDetector

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    f"Mozilla/5.0 {CHROME} (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0 Safari/537.36",
    "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
    "Tiny Tiny RSS/1.11 (http://tt-rss.org/)",
    "curl/8.5.0",
    "Wget/1.21",
    "python-requests/2.31.0",
    "Go-http-client/2.0",
]
BROWSERS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; CUBOT X30) {CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; arm_64; Android 12) {CHROME} YaBrowser/22.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS]",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:137.0) Gecko/20100101 Firefox/137.0",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
    "Dalvik/2.1.0 (Linux; U; Android 11; SM-G960F)",
    "",
    " ",
]
DETECTOR = BotDetector()
LIBRARY = CrawlerDetect()


@pytest.mark.parametrize("agent", BOTS)
def test_known_bot(agent: str) -> None:
    assert DETECTOR.is_bot(agent)
    assert DETECTOR.is_bot(agent.upper()) == LIBRARY.is_crawler(agent.upper())
    odd = agent.replace("k", "\u212a").replace("s", "\u017f")  # the same letters where case does not count
    assert DETECTOR.is_bot(odd) == LIBRARY.is_crawler(odd)


def test_capitals_that_a_pattern_asks_for_are_met_in_any_case() -> None:
    for agent in ("Y!J-ASR/1.0", "y!j-asr/1.0", r"Zend\Http\Client", r"zend\http\client"):
        assert DETECTOR.is_bot(agent)
        assert LIBRARY.is_crawler(agent)


@pytest.mark.parametrize("agent", BROWSERS)
def test_browser_is_not_a_bot(agent: str) -> None:
    assert not DETECTOR.is_bot(agent)


def test_extra_patterns_are_added_in_any_case() -> None:
    detector = BotDetector(["acme-monitor", r"^probe/\d"])
    browser = BROWSERS[0]
    assert not DETECTOR.is_bot(f"{browser} Acme-Monitor")
    assert detector.is_bot(f"{browser} Acme-Monitor")
    assert detector.is_bot("PROBE/1")
    assert not detector.is_bot(browser)
    assert detector.is_bot(BOTS[0])


def test_wrong_pattern_is_named() -> None:
    with pytest.raises(ValueError, match=r"'\(acme' is not a regular expression"):
        BotDetector(["fine", "(acme"])


WORDS = st.sampled_from(
    [*" ;()/+".strip(" "), " ", *(word for agent in BOTS + BROWSERS for word in agent.split())]
)


@given(st.lists(st.one_of(WORDS, st.just(" "), st.text(max_size=4)), max_size=8).map(" ".join))
def test_says_what_the_library_says(agent: str) -> None:
    assert DETECTOR.is_bot(agent) == LIBRARY.is_crawler(agent)


def test_yandex_search_app_is_told_from_yandex_by_looking_ahead() -> None:
    assert DETECTOR.is_bot("Yandex")
    assert not DETECTOR.is_bot("YandexSearch")


def test_words_of_browsers_are_taken_out_and_leave_their_place() -> None:
    assert DETECTOR.is_bot("Java/1.8")
    assert not LIBRARY.is_crawler("Mozilla/5.0 Java/1.8")
    assert not DETECTOR.is_bot("Mozilla/5.0 Java/1.8")
