"""segment-analytics-python, one batch: segment_client.py COLLECTOR"""

import sys
import time

import segment.analytics as analytics

analytics.write_key = "shop"
analytics.host = sys.argv[1]
analytics.max_retries = 3
failures: list[object] = []
analytics.on_error = lambda error, _: failures.append(error)
PAGE = {
    "url": "https://shop.example/shoes?utm_source=news&utm_medium=email",
    "title": "Shoes",
    "referrer": "https://search.example/",
}
ORDER = {
    "order_id": "o1", "revenue": 49.90, "currency": "EUR",
    "products": [{"product_id": "S1", "name": "Shoe", "price": 24.95, "quantity": 2}],
}  # fmt: skip
analytics.identify("u-42", {"plan": "pro"}, anonymous_id="d-1")
analytics.page("u-42", "category", "Shoes", PAGE, anonymous_id="d-1")
time.sleep(0.01)  # nobody orders in the millisecond of the view
analytics.track("u-42", "Order Completed", ORDER, anonymous_id="d-1")
analytics.alias("d-1", "u-42")
analytics.shutdown()
sys.exit(str(failures) if failures else 0)
