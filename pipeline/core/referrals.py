"""Does a touchpoint come from another person's referral? The loop of the journey: a promoter begins another's.

It does if its channel is ``referral`` and its url carries a code, by one of the usual names.
"""

import re
from typing import Final

CODE_PATTERN: Final = r"[?&#](?:ref|code|referral|referral_code|ref_code|invite|invite_code|invitation)=[^&#]"
_has_code = re.compile(CODE_PATTERN).search
REFERRAL: Final = "referral"


def is_referral(channel: str, url: str) -> bool:
    """``url`` may be any text."""
    return channel == REFERRAL and _has_code(url) is not None
