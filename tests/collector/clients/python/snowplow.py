"""Snowplow's Python tracker: python snowplow.py COLLECTOR get|post."""

import sys
import time
from urllib.parse import urlsplit

from snowplow_tracker import (
    Emitter,
    PageView,
    SelfDescribing,
    SelfDescribingJson,
    StructuredEvent,
    Subject,
    Tracker,
)

_ECOMMERCE = "iglu:com.snowplowanalytics.snowplow.ecommerce"


def main() -> None:
    """One visit with an order."""
    collector = urlsplit(sys.argv[1])
    emitter = Emitter(
        str(collector.hostname), protocol="http", port=collector.port, method=sys.argv[2], batch_size=2
    )
    subject = Subject().set_user_id("u-42").set_domain_user_id("d-1").set_lang("fa")
    tracker = Tracker("sp", emitter, subject=subject, app_id="shop", encode_base64=True)
    page = "https://shop.example/shoes?utm_source=news"
    tracker.track(PageView(page_url=page, page_title="Shoes", referrer="https://search.example/"))
    time.sleep(0.01)  # one after the other, also by the clock
    tracker.track(StructuredEvent(category="plan", action="plan_chosen", label="pro", value=2.5))
    time.sleep(0.01)
    order = {"transaction_id": "o1", "revenue": 49.90, "currency": "EUR"}
    entity = SelfDescribingJson(f"{_ECOMMERCE}/transaction/jsonschema/1-0-0", order)
    action = SelfDescribingJson(
        f"{_ECOMMERCE}/snowplow_ecommerce_action/jsonschema/1-0-2", {"type": "transaction"}
    )
    tracker.track(SelfDescribing(event_json=action, context=[entity]))
    tracker.flush()


main()
