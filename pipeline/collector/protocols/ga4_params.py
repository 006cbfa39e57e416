"""Parameters of GA4's events -> fields of a hit, for both of its protocols. The event names are the contract's own.

``value`` is revenue for events that move money, else a prop. What has no place is a prop under its own name.
"""

from typing import Any

from pipeline.collector.protocols.base import Hit
from pipeline.collector.protocols.commerce import MONEY
from pipeline.collector.protocols.fields import amount, currency_of, list_of, text_of

_TEXTS = {
    "page_location": "url", "page_referrer": "referrer", "page_title": "title", "transaction_id": "order_id",
    "language": "language", "screen_resolution": "screen",
}  # fmt: skip
_CAMPAIGN = {
    "source": "source", "medium": "medium", "campaign": "name", "campaign_id": "id", "term": "term",
    "content": "content",
}  # fmt: skip
_WITH_CAMPAIGN = ("source", "medium", "campaign")


def put_params(hit: Hit, given: dict[str, Any]) -> None:
    """Fills the fields that are not filled yet from the event's parameters; the rest of them go to its props."""
    rest = dict(given)
    for name, field in _TEXTS.items():
        if text := text_of(rest.get(name)):
            del rest[name]
            hit[field] = hit.get(field) or text
    if any(text_of(rest.get(name)) for name in _WITH_CAMPAIGN):
        hit["campaign"] = {field: text_of(rest.pop(name, None)) for name, field in _CAMPAIGN.items()}
    hit["currency"] = currency_of(rest.pop("currency", None))
    hit["items"] = [item for item in list_of(rest.pop("items", None)) if isinstance(item, dict)]
    if hit["event"] in MONEY:
        hit["revenue"] = amount(rest.pop("value", None))
    hit["props"] = rest | hit.get("props", {})
