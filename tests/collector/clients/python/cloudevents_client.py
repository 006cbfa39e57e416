"""cloudevents (PyPI), structured and binary: cloudevents_client.py COLLECTOR"""

import sys

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

PLACE = f"{sys.argv[1]}/cloudevents/shop"


def event(kind: str, number: str, data: dict[str, object]) -> CloudEvent:
    named = {"id": number, "source": "/shop", "type": kind, "specversion": "1.0", "subject": "u-42"}
    return CloudEvent({**named, "datacontenttype": "application/json"}, data)


order = {"order_id": "o1", "revenue": 49.90, "currency": "EUR"}
for message in (
    to_structured_event(event("com.shop.order.completed", "1", order)),
    to_binary_event(event("com.shop.user.signed_up", "2", {"note": "سفر"})),
):
    answer = requests.post(PLACE, headers=message.headers, data=message.body, timeout=10)
    assert answer.status_code == 204, answer.text
