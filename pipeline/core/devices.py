"""What a user agent says of itself: class of device, browser, operating system, and whether it is a bot.

Families are those of ua-parser (``Chrome Mobile``, ``Mac OS X``), without versions. Classes: desktop,
mobile, tablet, tv, bot, other (consoles, watches, headsets, cars), and ``""`` when unknown. An Android
device without the word Mobile is a tablet, as Google defines it. An iPad that asks for desktop pages says
that it is a Mac, and is one here. Apple Mail's privacy proxy, which loads the pictures of every e-mail whether
anybody reads it or not, calls itself ``Mozilla/5.0`` and nothing more. Only the first 512 characters are
read. Any text is accepted; nothing raises.
"""

import re
from functools import cache
from typing import Final, NamedTuple

from ua_parser import Domain
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

from pipeline.core.bots import BotDetector

MAX_AGENT_CHARS = 512
MAIL_PRIVACY: Final = ("Mozilla/5.0", "Apple Mail Privacy")  # user agent, and what we call its browser


class Device(NamedTuple):
    """Every field is ``""`` and ``bot`` false where there is no user agent."""

    device: str = ""
    browser: str = ""
    os: str = ""
    bot: bool = False


UNKNOWN: Final = Device()

# In this order: a console says Windows, a television says Android or Linux, a tablet may say Mobile.
_CLASSES: Final = {
    "other": r"xbox|playstation|nintendo|oculus|\bquest\b|watch ?os|apple ?watch|tesla/|carplay",
    "tv": r"smart-?tv|\btv\b|hbbtv|apple ?tv|google ?tv|android ?tv|netcast|web0s|viera|bravia|roku|crkey|"
    r"; ?aft[a-z]+\b|inettvbrowser|\bdtv\b",
    "tablet": r"ipad|tablet(?! pc)|kindle|playbook|\Amozilla.*android(?!.*mobile)",
    "mobile": r"mobile|iphone|ipod|android|windows phone|blackberry|\bbb10\b|symbian|series ?[346]0|"
    r"opera mini|kaios|midp|\bpalm|webos",
    "desktop": r"windows|macintosh|mac os x|linux|\bx11\b|\bcros\b|freebsd|openbsd|netbsd|sunos",
}
_CLASS_PATTERNS: Final = {name: re.compile(pattern, re.DOTALL) for name, pattern in _CLASSES.items()}


def device(user_agent: str, bots: BotDetector) -> Device:
    """Describe the sender of a hit."""
    # The parsers take UTF-8, which has no lone surrogates.
    agent = user_agent[:MAX_AGENT_CHARS].encode("utf-8", "replace").decode("utf-8").strip()
    if not agent:
        return UNKNOWN
    parsed = _resolver()(agent, Domain.USER_AGENT | Domain.OS)
    browser = parsed.user_agent.family if parsed.user_agent else ""
    os = parsed.os.family if parsed.os else ""
    if bots.is_bot(agent):
        return Device("bot", browser, os, True)
    if agent == MAIL_PRIVACY[0]:
        browser = MAIL_PRIVACY[1]
    return Device(device_class(agent), browser, os)


def device_class(agent: str) -> str:
    """The class of a device that is not a bot."""
    words = agent.lower()
    return next((name for name, pattern in _CLASS_PATTERNS.items() if pattern.search(words)), "")


@cache
def _resolver() -> Resolver:
    user_agents, systems, _ = load_lazy_builtins()
    return Resolver(
        (user_agents, systems, [])
    )  # those of devices, which nobody asks for, are half of the work
