"""What was done, by the parameters of one Matomo hit: its event, and the items, amounts and props that belong to it."""

from typing import Any

from pipeline.collector.protocols.base import Hit
from pipeline.collector.protocols.fields import (
    amount,
    decoded,
    digest,
    list_of,
    number,
    object_of,
    text_of,
    without_nothing,
)

Parameters = dict[str, Any]

# Parameters that have a place in the hit, or say nothing about it; all others go to props.
_WORDS = """
idsite rec token_auth _id cid uid _idn url urlref action_name res lang ua uadata h m s pdf qt realp wma fla java ag
cookie cs e_c e_a e_n e_v ca search search_cat search_count link download c_n c_p c_t c_i idgoal revenue ec_id ec_st
ec_tx ec_sh ec_dt ec_items _pks _pkn _pkc _pkp cvar _cvar e_cvar _rcn _rck _ref _refts ping consent cip country
cdt cdo r rand apiv send_image queuedtracking bots tracker_install_check _idts _idvc _viewts
"""
_KNOWN = frozenset(_WORDS.split())


def props_of(given: Parameters) -> dict[str, Any]:
    """Parameters without a place of their own, such as dimensions, and custom variables by their names."""
    props = {name: value for name, value in given.items() if name not in _KNOWN}
    for scope in ("cvar", "_cvar", "e_cvar"):
        for pair in object_of(given.get(scope)).values():
            if isinstance(pair, list) and len(pair) == 2 and (name := text_of(pair[0])):
                props[name] = pair[1]
    return props


def put_event(hit: Hit, given: Parameters) -> None:
    """What was done: the event's name and what belongs to it."""

    def text(name: str) -> str:
        value = text_of(given.get(name)).strip()
        return "" if value == "undefined" else value

    props: dict[str, Any] = {}
    if text("ping") == "1":
        event = "user_engagement"
    elif (goal := text("idgoal")) == "0":
        event = _put_order(hit, given, text("ec_id"))
    elif goal:
        event, hit["revenue"] = f"goal_{goal}", amount(given.get("revenue"))
        props = {"goal_id": goal}
    elif text("search"):
        event = "search"
        props = {"search_term": text("search"), "search_category": text("search_cat")}
        props["search_count"] = number(given.get("search_count"))
    elif text("download"):
        event, props = "file_download", {"link_url": text("download")}
    elif text("link"):
        event, props = "click", {"link_url": text("link"), "outbound": True}
    elif text("e_c") and text("e_a"):
        event, props = text("e_a"), {"event_category": text("e_c"), "event_label": text("e_n")}
        props["event_value"] = number(given.get("e_v"))
    elif text("c_n"):
        event = "select_promotion" if text("c_i") else "view_promotion"
        props = {"promotion_name": text("c_n"), "creative_name": text("c_p"), "link_url": text("c_t")}
        props["interaction"] = text("c_i")
    else:
        event = "page_view"
    hit["event"] = event
    hit["props"] = without_nothing(props) | hit["props"]


def _put_order(hit: Hit, given: Parameters, order: str) -> str:
    """``idgoal=0`` with an order id is an order, without one a cart update: all that is in the cart now."""
    items = [item for item in map(_item, list_of(given.get("ec_items"))) if item]
    hit["items"] = items
    sums = {"subtotal": "ec_st", "tax": "ec_tx", "shipping": "ec_sh", "discount": "ec_dt"}
    hit["props"] |= {name: amount(given.get(parameter)) for name, parameter in sums.items()}
    if order:
        campaign = {
            "attribution_campaign": "_rcn",
            "attribution_keyword": "_rck",
            "attribution_referrer": "_ref",
        }
        hit["props"] |= {name: text_of(given.get(parameter)) for name, parameter in campaign.items()}
        hit |= {"order_id": order, "revenue": amount(given.get("revenue"))}
        return "purchase"
    hit["props"]["value"] = amount(given.get("revenue"))
    return "add_to_cart" if items else "remove_from_cart"


def _item(row: Any) -> dict[str, Any]:
    """``[sku, name, category or up to five, price, quantity]``."""
    if not isinstance(row, list):
        return {}
    sku, name, category, price, quantity = (row + [None] * 5)[:5]
    categories = category if isinstance(category, list) else [category]
    item = {"item_id": text_of(sku), "item_name": text_of(name)}
    item |= {
        f"item_category{place if place > 1 else ''}": text_of(one)
        for place, one in enumerate(categories[:5], 1)
        if text_of(one) not in ("", "false")
    }
    return without_nothing({**item, "price": amount(price), "quantity": number(quantity)})


def product_view(view: Hit, given: Parameters) -> Hit | None:
    """The product, or without one the category, that a page shows."""

    def text(name: str) -> str:
        value = text_of(given.get(name))
        return "" if value == "undefined" else value

    category: Any = decoded(text("_pkc")) if text("_pkc").startswith("[") else text("_pkc")
    item = _item([text("_pks"), text("_pkn"), category, given.get("_pkp"), None])
    if not item:
        return None
    hit_id = view["hit_id"] and digest(view["hit_id"], "product")
    event = "view_item" if text("_pks") or text("_pkn") else "view_item_list"
    return {**view, "event": event, "hit_id": hit_id, "items": [item]}
