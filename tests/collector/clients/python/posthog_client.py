"""posthog (PyPI), one batch: posthog_client.py COLLECTOR"""

import sys
import time

from posthog import Posthog

posthog = Posthog("shop", host=sys.argv[1])
PAGE = {"$current_url": "https://shop.example/shoes?utm_source=news&utm_medium=email", "title": "Shoes"}
ORDER = {
    **PAGE, "order_id": "o1", "revenue": 49.90, "currency": "EUR",
    "products": [{"product_id": "S1", "name": "Shoe", "price": 24.95, "quantity": 2}],
}  # fmt: skip
posthog.set(distinct_id="u-42", properties={"plan": "pro"})
referrer = {"$referrer": "https://search.example/"}
posthog.capture("$pageview", distinct_id="u-42", properties={**PAGE, **referrer})
time.sleep(0.01)  # nobody orders in the millisecond of the view
posthog.capture("Order Completed", distinct_id="u-42", properties=ORDER)
posthog.alias("d-1", "u-42")
posthog.group_identify("company", "acme", {"seats": 3})
posthog.shutdown()
