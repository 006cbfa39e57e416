"""What was done, by one Snowplow event: its kind, the self-describing event in it, and the entities beside it.

A schema is known by its name, the part of ``iglu:vendor/name/jsonschema/1-0-0`` after the vendor: a self-describing
event without a name of GA4's keeps its own. Entities are fields where the hit has one, else props under their name.
"""

from typing import Any

from pipeline.collector.protocols.base import Hit
from pipeline.collector.protocols.fields import amount, currency_of, number, text_of, without_nothing

_SELF_DESCRIBING = {
    "link_click": "click", "site_search": "search", "submit_form": "form_submit", "change_form": "form_change",
    "focus_form": "form_start", "social_interaction": "share", "ad_click": "ad_click", "page_ping": "user_engagement",
    "application_install": "first_open", "play_event": "video_start", "percent_progress_event": "video_progress",
    "end_event": "video_complete", "ended_event": "video_complete", "screen_end": "user_engagement",
}  # fmt: skip
_ECOMMERCE = {
    "product_view": "view_item", "list_view": "view_item_list", "list_click": "select_item",
    "add_to_cart": "add_to_cart", "remove_from_cart": "remove_from_cart", "checkout_step": "checkout_progress",
    "transaction": "purchase", "refund": "refund", "promo_view": "view_promotion", "promo_click": "select_promotion",
    "trns_error": "payment_failed",
}  # fmt: skip
_RENAMED = {
    "targetUrl": "link_url", "elementId": "link_id", "elementContent": "link_text", "terms": "search_term",
    "formId": "form_id",
}  # fmt: skip
_ITEM_NAMES = {
    "id": "item_id", "name": "item_name", "brand": "item_brand", "category": "item_category",
    "variant": "item_variant", "position": "index",
}  # fmt: skip
_OLD_ITEM_NAMES = {"sku": "item_id", "name": "item_name", "category": "item_category", "unitPrice": "price"}
_OWN_FIELDS = frozenset({"transaction", "refund", "product", "user", "cart", "checkout_step"})
_STRUCTURED = (
    ("event_category", "ca"), ("event_action", "ac"), ("event_label", "la"), ("event_property", "pr"),
)  # fmt: skip
_CONSENT = {
    "consent_granted": "granted", "allow_all": "granted", "allow_selected": "granted",
    "consent_withdrawn": "denied", "withdrawn": "denied", "deny_all": "denied",
}  # fmt: skip
_SCROLL = {
    "pp_mix": "scroll_x_min",
    "pp_max": "scroll_x_max",
    "pp_miy": "scroll_y_min",
    "pp_may": "scroll_y_max",
}
_ORDER = {"tr_af": "affiliation", "tr_ci": "city", "tr_st": "region", "tr_co": "country"}


class Entities:
    """The entities beside an event, by their names, in order."""

    def __init__(self, contexts: Any) -> None:
        self._all: list[tuple[str, dict[str, Any]]] = []
        for one in contexts if isinstance(contexts, list) else ():
            if isinstance(one, dict) and isinstance(data := one.get("data"), dict):
                self._all.append((name_of(one), data))

    def of(self, name: str) -> list[dict[str, Any]]:
        """All entities of a name."""
        return [data for one, data in self._all if one == name]

    def first(self, name: str) -> dict[str, Any]:
        """The first of a name, or an empty one."""
        return next(iter(self.of(name)), {})

    def device_id(self) -> str:
        """Of a mobile app: its session names the install."""
        return text_of(self.first("client_session").get("userId"))

    def consent(self, described: Any) -> str:
        """What the self-describing event, or an entity, says of consent."""
        if isinstance(described, dict):
            kind = (
                text_of(described["data"].get("eventType")) if isinstance(described.get("data"), dict) else ""
            )
            if found := _CONSENT.get(kind) or _CONSENT.get(name_of(described)):
                return found
        return next((found for name, _ in self._all if (found := _CONSENT.get(name))), "")

    def props(self) -> dict[str, Any]:
        """Those without a place in the hit; of several of one name all."""
        found: dict[str, Any] = {}
        for name, data in self._all:
            if name not in _OWN_FIELDS and name:
                found.setdefault(name, []).append(data)
        return {name: data[0] if len(data) == 1 else data for name, data in found.items()}


def name_of(described: dict[str, Any]) -> str:
    """The name of the schema; "" if there is none."""
    parts = text_of(described.get("schema")).split("/")
    return parts[1] if len(parts) == 4 else ""


def put_event(hit: Hit, fields: dict[str, str], described: Any, entities: Entities) -> None:
    """Fills the event's name and what belongs to it."""
    kind = fields.get("e", "")
    props: dict[str, Any] = {}
    hit["event"] = {"pv": "page_view", "pp": "user_engagement"}.get(kind, "")
    if kind == "pp":
        props = {name: number(fields.get(field)) for field, name in _SCROLL.items()}
    elif kind == "se":
        hit["event"] = _either(fields, "ac")
        props = {name: _either(fields, part) for name, part in _STRUCTURED}
        props["event_value"] = number(_either(fields, "va"))
    elif kind == "tr":
        props = _put_order(hit, fields)
    elif kind == "ti":
        _put_order_item(hit, fields)
    elif kind == "ue" and isinstance(described, dict):
        props = _put_described(hit, described, entities)
    elif kind == "ad":
        hit["event"] = "ad_impression"
    session = {
        "tracker_session_id": fields.get("sid"),
        "tracker": fields.get("tna"),
        "platform": fields.get("p"),
    }
    hit["props"] = without_nothing(props) | without_nothing(session) | entities.props()


def _either(fields: dict[str, str], part: str) -> str:
    return fields.get(f"se_{part}") or fields.get(f"ev_{part}", "")


def _put_order(hit: Hit, fields: dict[str, str]) -> dict[str, Any]:
    hit |= {
        "event": "purchase",
        "order_id": fields.get("tr_id"),
        "revenue": amount(fields.get("tr_tt")),
        "currency": currency_of(fields.get("tr_cu")),
    }
    sums = {"tax": amount(fields.get("tr_tx")), "shipping": amount(fields.get("tr_sh"))}
    return sums | {name: fields.get(field) for field, name in _ORDER.items()}


def _put_order_item(hit: Hit, fields: dict[str, str]) -> None:
    item = {
        "item_id": fields.get("ti_sk"),
        "item_name": fields.get("ti_nm") or fields.get("ti_na"),
        "item_category": fields.get("ti_ca"),
        "price": amount(fields.get("ti_pr")),
        "quantity": number(fields.get("ti_qu")),
    }
    hit |= {
        "event": "purchase_item",
        "order_id": fields.get("ti_id"),
        "currency": currency_of(fields.get("ti_cu")),
        "items": [without_nothing(item)],
    }


def _put_described(hit: Hit, described: dict[str, Any], entities: Entities) -> dict[str, Any]:
    name = name_of(described)
    data = described.get("data")
    data = dict(data) if isinstance(data, dict) else {}
    if name == "snowplow_ecommerce_action":
        return _put_ecommerce(hit, data, entities)
    hit["event"] = _SELF_DESCRIBING.get(name, name)
    if name == "screen_view":
        hit["title"] = text_of(data.pop("name", "")) or hit["title"]
    elif name in ("add_to_cart", "remove_from_cart"):  # of the trackers before 3.0
        hit["currency"] = currency_of(data.pop("currency", None))
        hit["items"] = [_item(data, _OLD_ITEM_NAMES)]
        return {}
    elif isinstance(data.get("terms"), list):
        data["terms"] = " ".join(map(text_of, data["terms"]))
    return {_RENAMED.get(member, member): value for member, value in data.items()}


def _put_ecommerce(hit: Hit, action: dict[str, Any], entities: Entities) -> dict[str, Any]:
    kind = text_of(action.pop("type", ""))
    step = entities.first("checkout_step")
    is_start = kind == "checkout_step" and number(step.get("step")) in (1, None)
    hit["event"] = "begin_checkout" if is_start else _ECOMMERCE.get(kind, kind)
    products = entities.of("product")
    hit["items"] = [_item(product, _ITEM_NAMES) for product in products]
    moved = dict(entities.first("transaction" if kind != "refund" else "refund"))
    hit |= {
        "order_id": text_of(moved.pop("transaction_id", "")),
        "revenue": amount(moved.pop("refund_amount" if kind == "refund" else "revenue", None)),
        "currency": currency_of(moved.pop("currency", None))
        or next((found for product in products if (found := currency_of(product.get("currency")))), None),
    }
    if hit["event"] not in ("purchase", "refund"):
        hit["revenue"] = None
    cart = {"value": amount(entities.first("cart").get("total_value"))}
    return {**action, **moved, **cart, **{f"checkout_{name}": value for name, value in step.items()}}


def _item(product: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    item = {names.get(name, name): value for name, value in product.items() if name != "currency"}
    return without_nothing(item)
