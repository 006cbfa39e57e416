"""ga4mp, GA4's Measurement Protocol: python ga4.py COLLECTOR."""

import sys

from ga4mp import GtagMP


def main() -> None:
    """One visit with an order, of more events than one request may have."""
    client = GtagMP(api_secret="s3cret", measurement_id="G-SHOP", client_id="123.456")
    client._base_domain = f"{sys.argv[1]}/mp/collect"  # it has no setting for it
    view = client.create_new_event(name="page_view")
    view.set_event_param(name="page_location", value="https://shop.example/shoes?utm_source=news")
    view.set_event_param(name="page_title", value="Shoes")
    order = client.create_new_event(name="purchase")
    for name, value in {"transaction_id": "o1", "value": 49.90, "currency": "EUR"}.items():
        order.set_event_param(name=name, value=value)
    order.add_item_to_event({"item_id": "S1", "item_name": "Shoe", "price": 24.95, "quantity": 2})
    chosen = client.create_new_event(name="plan_chosen")
    chosen.set_event_param(name="plan", value="pro")
    client.send(events=[view, order, *[chosen] * 25])


main()
