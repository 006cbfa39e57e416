"""The standard names of e-commerce, accounts, e-mail and video events -> GA4's, and their properties -> fields.

Names are compared without case, blanks and punctuation, so that ``Order Completed``, ``order_completed`` and
``orderCompleted`` are one; a name that is none of them stays as it is. Pure; any properties are accepted.

    event_of("Order Completed") == "purchase"
    put_commerce(hit, {"order_id": "o1", "revenue": 49.9, "plan": "pro"})   # returns what has no place: {"plan": "pro"}

Revenue is ``revenue``, and for events that move money (``MONEY``) else ``total``, ``value``, ``subtotal``, ``amount``.
"""

import re
from functools import lru_cache
from typing import Any, Final

from pipeline.collector.protocols.base import Hit
from pipeline.collector.protocols.fields import amount, currency_of, list_of, text_of, without_nothing

MONEY: Final = frozenset({
    "purchase", "refund", "subscription_renew", "subscription_upgrade", "payment_failed", "ad_cost",
})  # fmt: skip
_SINGLE_ITEM: Final = frozenset({
    "view_item", "select_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "review_submit",
})  # fmt: skip

_NAMES: Final = {
    # Segment's e-commerce specification, which RudderStack, Jitsu and most users of PostHog follow
    "Products Searched": "search", "Product List Viewed": "view_item_list", "Promotion Viewed": "view_promotion",
    "Promotion Clicked": "select_promotion", "Product Clicked": "select_item", "Product Viewed": "view_item",
    "Product Added": "add_to_cart", "Product Removed": "remove_from_cart", "Cart Viewed": "view_cart",
    "Checkout Started": "begin_checkout", "Payment Info Entered": "add_payment_info",
    "Shipping Info Entered": "add_shipping_info", "Order Completed": "purchase", "Order Refunded": "refund",
    "Order Shipped": "order_shipped", "Order Fulfilled": "order_shipped",
    "Product Added to Wishlist": "add_to_wishlist", "Product Shared": "share", "Cart Shared": "share",
    "Product Reviewed": "review_submit", "Payment Failed": "payment_failed",
    # its specifications of accounts, subscriptions, video, e-mail, apps and chats
    "Signed Up": "sign_up", "Account Created": "sign_up", "Signed In": "login", "Logged In": "login",
    "Signed Out": "logout", "Trial Started": "trial_start", "Invite Sent": "invite_sent",
    "Lead Generated": "generate_lead", "Subscription Started": "subscribe",
    "Subscription Renewed": "subscription_renew",
    "Subscription Upgraded": "subscription_upgrade", "Subscription Cancelled": "subscription_cancel",
    "Subscription Canceled": "subscription_cancel",
    "Video Playback Started": "video_start", "Video Content Playing": "video_progress",
    "Video Playback Completed": "video_complete",
    "Email Sent": "email_sent", "Email Delivered": "email_delivered", "Email Opened": "email_open",
    "Email Link Clicked": "email_click", "Email Clicked": "email_click", "Email Bounced": "email_bounce",
    "Email Marked as Spam": "email_complaint", "Unsubscribed": "email_unsubscribe",
    "Application Installed": "first_open", "Application Opened": "app_open", "Page Viewed": "page_view",
    "Screen Viewed": "screen_view", "Live Chat Conversation Started": "chat_start",
    "File Downloaded": "file_download", "Form Submitted": "form_submit", "Survey Answered": "survey_response",
}  # fmt: skip
_ALREADY_GA4: Final = (
    "page_view", "screen_view", "purchase", "refund", "add_to_cart", "remove_from_cart", "view_cart", "view_item",
    "view_item_list", "select_item", "begin_checkout", "add_payment_info", "add_shipping_info", "add_to_wishlist",
    "view_promotion", "select_promotion", "sign_up", "login", "logout", "generate_lead", "subscribe", "search",
    "share", "trial_start", "email_sent", "email_delivered", "email_open", "email_click", "email_bounce",
    "email_complaint", "email_unsubscribe", "survey_response", "subscription_renew", "subscription_cancel",
    "subscription_upgrade", "payment_failed", "order_shipped", "support_ticket_open", "support_ticket_close",
    "video_start", "video_progress", "video_complete", "file_download", "chat_start", "invite_sent", "referral_sent",
    "review_submit", "form_submit", "churn_feedback",
)  # fmt: skip
_NO_LETTER = re.compile(r"[\W_]+")
_ITEM_NAMES: Final = {
    "product_id": "item_id", "productId": "item_id", "name": "item_name", "category": "item_category",
    "brand": "item_brand", "variant": "item_variant", "position": "index", "coupon": "coupon", "price": "price",
    "quantity": "quantity", "discount": "discount",
}  # fmt: skip
_ORDER_IDS = ("order_id", "orderId", "transaction_id", "transactionId")
_REVENUES = ("revenue", "total", "value", "subtotal", "amount")


def _plain(name: str) -> str:
    return _NO_LETTER.sub("", name).lower()


_BY_PLAIN_NAME: Final = {
    **{_plain(name): name for name in _ALREADY_GA4},
    **{_plain(name): event for name, event in _NAMES.items()},
}


def event_of(name: str) -> str:
    """GA4's name of the event, or its own where GA4 has none."""
    return standard_event(name) or name


@lru_cache(maxsize=4_096)
def standard_event(name: str) -> str | None:
    """GA4's name of the event, if it is a standard one."""
    return _BY_PLAIN_NAME.get(_plain(name[:80]))


def put_commerce(hit: Hit, properties: dict[str, Any]) -> dict[str, Any]:
    """Fills order id, revenue, currency and items of ``hit``, whose event is known; returns the other properties."""
    rest = dict(properties)
    event = hit.get("event", "")
    order = _take(rest, _ORDER_IDS, text_of)
    if order:
        hit["order_id"] = order
    money = _take(rest, _REVENUES if event in MONEY else _REVENUES[:1], amount)
    if money is not None:
        hit["revenue"] = money
    currency = _take(rest, ("currency",), currency_of)
    if currency:
        hit["currency"] = currency
    products = [item for item in list_of(rest.get("products")) if isinstance(item, dict)]
    if products:
        del rest["products"]
        hit["items"] = [_item(product) for product in products]
    elif event in _SINGLE_ITEM and not rest.keys().isdisjoint(("product_id", "productId", "sku")):
        product = {name: rest.pop(name) for name in (*_ITEM_NAMES, "sku") if name in rest}
        hit["items"] = [_item(product)]
    return rest


def _take(properties: dict[str, Any], names: tuple[str, ...], read: Any) -> Any:
    """The first of the named properties that can be read; it is taken out."""
    for name in names:
        if name in properties and (value := read(properties[name])) not in (None, ""):
            del properties[name]
            return value
    return None


def _item(product: dict[str, Any]) -> dict[str, Any]:
    item = without_nothing({_ITEM_NAMES.get(name, name): value for name, value in product.items()})
    if "item_id" not in item and (sku := item.pop("sku", None) or item.pop("id", None)):
        item["item_id"] = sku
    return item
