"""Devices: a table of real user agents, and any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.bots import BotDetector
from pipeline.core.channels import Classifier
from pipeline.core.devices import MAX_AGENT_CHARS, UNKNOWN, Device, device, device_class

BOTS = BotDetector()
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "found"),
    [
        (CHROME, ("desktop", "Chrome", "Windows")),
        (f"{CHROME} Edg/130.0.0.0", ("desktop", "Edge", "Windows")),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.3 Safari/605.1.15",
            ("desktop", "Safari", "Mac OS X"),
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:137.0) Gecko/20100101 Firefox/137.0",
            ("desktop", "Firefox", "Ubuntu"),
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/130.0.0.0 Safari/537.36",
            ("desktop", "Chrome", "Chrome OS"),
        ),
        (
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)",
            ("desktop", "IE", "Windows"),
        ),
        (
            f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/130.0.0.0 Mobile Safari/537.36",
            ("mobile", "Chrome Mobile", "Android"),
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.3 Mobile/15E148 Safari/604.1",
            ("mobile", "Mobile Safari", "iOS"),
        ),
        (
            "Mozilla/5.0 (Android 15; Mobile; rv:137.0) Gecko/137.0 Firefox/137.0",
            ("mobile", "Firefox Mobile", "Android"),
        ),
        ("Dalvik/2.1.0 (Linux; U; Android 11; SM-G960F)", ("mobile", "Android", "Android")),
        (
            f"Mozilla/5.0 (Linux; Android 12; SM-T500) {WEBKIT} Chrome/130.0.0.0 Safari/537.36",
            ("tablet", "Chrome", "Android"),
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.0 Mobile/15E148 Safari/604.1",
            ("tablet", "Mobile Safari", "iOS"),
        ),
        (
            "Mozilla/5.0 (Android 13; Tablet; rv:137.0) Gecko/137.0 Firefox/137.0",
            ("tablet", "Firefox Mobile", "Android"),
        ),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            ("bot", "Googlebot", ""),
        ),
    ],
)
def test_real_agents(agent: str, found: tuple[str, str, str]) -> None:
    assert device(agent, BOTS)[:3] == found


@pytest.mark.parametrize(
    ("agent", "found"),
    [
        (
            f"Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) {WEBKIT} Chrome/76.0 TV Safari/537.36",
            "tv",
        ),
        (f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/94.0 Safari/537.36", "tv"),
        (f"Mozilla/5.0 (Linux; Android 9; AFTMM) {WEBKIT} Chrome/120.0 Mobile Safari/537.36", "tv"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {WEBKIT} Edge/44.18363", "other"),
        (f"Mozilla/5.0 (PlayStation; PlayStation 5/2.26) {WEBKIT} Version/13.0 Safari/605.1.15", "other"),
        (f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) {WEBKIT} OculusBrowser/30.0 Safari/537.36", "other"),
        ("Microsoft Office", ""),
        ("Request", ""),
        ("-", ""),
    ],
)
def test_classes(agent: str, found: str) -> None:
    assert device_class(agent) == found


def test_the_privacy_proxy_of_apple_mail_says_only_mozilla() -> None:
    assert device("Mozilla/5.0", BOTS) == Device("", "Apple Mail Privacy", "")
    assert device("Mozilla/5.0 x", BOTS).browser == ""


@pytest.mark.parametrize("agent", ["", " ", "\t\n"])
def test_no_agent_is_unknown_and_not_a_bot(agent: str) -> None:
    assert device(agent, BOTS) == UNKNOWN == Device("", "", "", False)


def test_only_the_beginning_is_read() -> None:
    padding = "x" * (MAX_AGENT_CHARS - len(CHROME) - len(" Googlebot"))
    assert device(CHROME + padding + " Googlebot", BOTS).bot
    assert not device(CHROME + padding + "x Googlebot", BOTS).bot
    assert not Classifier().device(CHROME + padding + "x Googlebot").bot


REMEMBERING = Classifier()


@given(
    st.one_of(
        st.text(max_size=60), st.text(alphabet=st.characters(categories=["Cs", "Ll", "Zs"]), max_size=20)
    )
)
def test_any_text_is_described_remembered_or_not(agent: str) -> None:
    found = device(agent, BOTS)
    assert found.device in {"desktop", "mobile", "tablet", "tv", "bot", "other", ""}
    assert found.bot == (found.device == "bot")
    assert REMEMBERING.device(agent) == REMEMBERING.device(agent) == found
