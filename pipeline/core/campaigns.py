"""The campaign a url carries: utm_* parameters, Matomo's mtm_* and pk_* names, click ids of ad networks.

Counted is what stands between the first ``?`` and a ``#`` after it. Of a name given twice, the first filled
value holds. Values are stripped and cut at 256 characters. A click id fills
the source and the medium that the link does not name itself. Any text is accepted; nothing raises. No
campaign: None.
"""

import re
from typing import Final
from urllib.parse import parse_qsl

from schemas.hit import Campaign

MAX_VALUE_CHARS = 256

# (field, its parameters). Of several that are filled, the first one listed holds.
_FIELDS: Final = (
    ("source", ("utm_source", "mtm_source", "matomo_source", "pk_source", "piwik_source")),
    ("medium", ("utm_medium", "mtm_medium", "matomo_medium", "pk_medium", "piwik_medium")),
    ("name", ("utm_campaign", "mtm_campaign", "matomo_campaign", "pk_campaign", "pk_cpn", "piwik_campaign")),
    (
        "term",
        (
            "utm_term",
            "mtm_keyword",
            "mtm_kwd",
            "matomo_kwd",
            "pk_keyword",
            "pk_kwd",
            "piwik_keyword",
            "piwik_kwd",
        ),
    ),
    ("content", ("utm_content", "mtm_content", "matomo_content", "pk_content", "piwik_content")),
    ("id", ("utm_id", "mtm_cid", "matomo_cid", "pk_cid", "piwik_cid")),
)

# Click id -> (source, medium), strongest first. Facebook puts fbclid on every link that leaves it, so it does
# not tell an ad; dclid is a display ad of Google's ad server, to which GA4 gives the source "dfa".
CLICK_IDS: Final = {
    "gclid": ("google", "cpc"),
    "gbraid": ("google", "cpc"),
    "wbraid": ("google", "cpc"),
    "dclid": ("dfa", "cpm"),
    "msclkid": ("bing", "cpc"),
    "yclid": ("yandex", "cpc"),
    "ttclid": ("tiktok", "cpc"),
    "twclid": ("twitter", "cpc"),
    "li_fat_id": ("linkedin", "cpc"),
    "rdt_cid": ("reddit", "cpc"),
    "ScCid": ("snapchat", "cpc"),
    "gad_source": ("google", "cpc"),
    "irclickid": ("impact", "affiliate"),
    "cjevent": ("cj", "affiliate"),
    "awc": ("awin", "affiliate"),
    "mc_cid": ("mailchimp", "email"),
    "_hsmi": ("hubspot", "email"),
    "mkt_tok": ("marketo", "email"),
    "fbclid": ("facebook", "social"),
}

_PREFIXES = ("utm_", "mtm_", "matomo_", "pk_", "piwik_")
_MENTION = re.compile(f"[?&;](?:{'|'.join(_PREFIXES)}|(?:{'|'.join(CLICK_IDS)})=)")


def query_of(url: str) -> str:
    """The query of the url if it may name a campaign, else ``""``. Urls without ``?`` are not looked into."""
    mark = url.find("?")
    if mark < 0 or _MENTION.search(url, mark) is None:
        return ""
    return url[mark + 1 :].partition("#")[0]


def campaign_of(query: str) -> Campaign | None:
    """The campaign in the query of a url."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, encoding="utf-8", errors="replace"):
        if filled := value.strip()[:MAX_VALUE_CHARS]:
            # Links out of badly made e-mails still have "&amp;" between parameters.
            given.setdefault(name.removeprefix("amp;"), filled)
    fields = {field: _first(given, names) for field, names in _FIELDS}
    for click_id, (source, medium) in CLICK_IDS.items():
        if click_id in given:
            fields["source"] = fields["source"] or source
            fields["medium"] = fields["medium"] or medium
    campaign = Campaign(**fields)
    return None if campaign == _NO_CAMPAIGN else campaign


_NO_CAMPAIGN: Final = Campaign()


def is_empty(campaign: Campaign | None) -> bool:
    """Says nothing: not there, or every field is empty."""
    return campaign is None or campaign == _NO_CAMPAIGN


def _first(given: dict[str, str], names: tuple[str, ...]) -> str:
    return next((given[name] for name in names if name in given), "")
