"""Matomo: what its trackers send, field by field, and what they are answered."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from pipeline.collector.pixel import GIF

from .kit import CHROME, NOW_MS, judged

PAGE = "https://shop.example/shoes?utm_source=news&utm_medium=email"
VISITOR = "0123456789abcdef"


def query(**given: Any) -> str:
    return urlencode({"idsite": 1, "rec": 1, "_id": VISITOR, "url": PAGE, **given})


def hit_of(**given: Any) -> dict[str, Any]:
    return judged("GET", f"/matomo.php?{query(**given)}").hit


def test_page_view_field_by_field() -> None:
    found = judged(
        "POST",  # as matomo.js sends: everything in the query, an empty body
        f"/stats/matomo.php?{query(urlref='https://search.example/', action_name='Shoes', res='1920x1080')}"
        "&lang=fa-IR,fa;q=0.9&uid=u1&r=123456&pv_id=Zk3a9b&pf_srv=12&dimension1=gold&h=1&m=2&s=3",
    )
    assert found.hit == {
        "site": "1",
        "event": "page_view",
        "visitor_id": VISITOR,
        "user_id": "u1",
        "hit_id": found.hit["hit_id"],
        "time": NOW_MS,
        "url": PAGE,
        "referrer": "https://search.example/",
        "title": "Shoes",
        "screen": "1920x1080",
        "language": "fa-IR",
        "user_agent": CHROME,
        "props": {"pv_id": "Zk3a9b", "pf_srv": "12", "dimension1": "gold"},
        "received_time": NOW_MS,
    }
    assert (found.answer.status, found.answer.body, found.answer.content_type) == (200, GIF, "image/gif")
    assert "no-store" in found.answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/matomo.php", "/piwik.php", "/a/b/matomo.php"])
def test_paths(path: str) -> None:
    assert judged("GET", f"{path}?{query()}").hit["event"] == "page_view"


def test_form_and_query_together_and_the_query_wins() -> None:
    body = query(action_name="of the form", urlref="https://a.example/").encode()
    hit = judged("POST", "/matomo.php?action_name=of+the+query", body).hit
    assert (hit["title"], hit["referrer"]) == ("of the query", "https://a.example/")


@pytest.mark.parametrize(
    ("given", "event", "props"),
    [
        ({"ping": 1, "e_c": "a", "e_a": "b"}, "user_engagement", {}),
        ({"idgoal": 3, "search": "x"}, "goal_3", {"goal_id": "3"}),
        ({"search": "red", "search_cat": "shoes", "search_count": 0}, "search",
         {"search_term": "red", "search_category": "shoes", "search_count": 0}),
        ({"download": "https://shop.example/a.pdf", "link": "x"}, "file_download",
         {"link_url": "https://shop.example/a.pdf"}),
        ({"link": "https://else.example/"}, "click", {"link_url": "https://else.example/", "outbound": True}),
        ({"e_c": "Video", "e_a": " Play ", "e_n": "Intro", "e_v": "2.5", "ca": 1}, "Play",
         {"event_category": "Video", "event_label": "Intro", "event_value": 2.5}),
        ({"e_c": "Video", "e_a": "Play", "e_n": "undefined"}, "Play", {"event_category": "Video"}),
        ({"e_c": "Video", "search": "undefined", "link": "undefined"}, "page_view", {}),
        ({"c_n": "Ad", "c_p": "a.jpg", "c_t": "https://t.example/"}, "view_promotion",
         {"promotion_name": "Ad", "creative_name": "a.jpg", "link_url": "https://t.example/"}),
        ({"c_n": "Ad", "c_i": "click"}, "select_promotion", {"promotion_name": "Ad", "interaction": "click"}),
    ],
)  # fmt: skip
def test_kind_of_a_hit(given: dict[str, Any], event: str, props: dict[str, Any]) -> None:
    hit = hit_of(**given)
    assert (hit["event"], hit.get("props", {})) == (event, props)


def test_goal_has_its_revenue() -> None:
    assert hit_of(idgoal=3, revenue="12.50")["revenue"] == 12.5


def test_order() -> None:
    items = [
        ["S1", "Shoe", ["Shoes", "Running"], 24.95, 2],
        ["S2", "Lace", "undefined", "0", "1"],
        "not a row",
        ["S3"],
    ]
    hit = hit_of(
        idgoal=0, ec_id="o1", revenue="49.90", ec_st="41.93", ec_tx="undefined", ec_sh="5",
        ec_items=json.dumps(items), _rcn="spring", _pks="S1",
    )  # fmt: skip
    assert (hit["event"], hit["order_id"], hit["revenue"]) == ("purchase", "o1", 49.9)
    assert "currency" not in hit
    assert hit["items"] == [
        {"item_id": "S1", "item_name": "Shoe", "item_category": "Shoes", "item_category2": "Running",
         "price": 24.95, "quantity": 2},
        {"item_id": "S2", "item_name": "Lace", "price": 0, "quantity": 1},
        {"item_id": "S3"},
    ]  # fmt: skip
    assert hit["props"] == {"subtotal": 41.93, "shipping": 5, "attribution_campaign": "spring"}


def test_cart_update_is_no_revenue() -> None:
    hit = hit_of(idgoal=0, revenue="49.90", ec_items='[["S1","Shoe","",24.95,2]]')
    assert (hit["event"], hit["props"], "revenue" in hit) == ("add_to_cart", {"value": 49.9}, False)
    assert hit_of(idgoal=0, revenue="0", ec_items="[]")["event"] == "remove_from_cart"


def test_product_on_a_page_is_viewed_too_but_not_by_later_hits() -> None:
    product = {"_pks": "S1", "_pkn": "Shoe", "_pkc": '["Shoes"]', "_pkp": "24.95"}
    target = f"/matomo.php?{query(r=7, **product)}"
    view, item = judged("GET", target).hits
    assert (view["event"], item["event"], item["url"]) == ("page_view", "view_item", PAGE)
    assert item["items"] == [{"item_id": "S1", "item_name": "Shoe", "item_category": "Shoes", "price": 24.95}]
    assert view["hit_id"] != item["hit_id"]
    assert hit_of(ping=1, **product)["event"] == "user_engagement"
    assert [h["event"] for h in judged("GET", f"/matomo.php?{query(_pkc='Shoes')}").hits][1:] == [
        "view_item_list"
    ]


def test_same_request_again_is_the_same_hit_and_another_number_another() -> None:
    assert hit_of(r=1)["hit_id"] == hit_of(r=1, send_image=0)["hit_id"] == hit_of(r=1)["hit_id"]
    assert hit_of(r=1)["hit_id"] != hit_of(r=2)["hit_id"]
    assert "hit_id" not in hit_of()


def test_visitor_by_cid_then_id_then_hash() -> None:
    assert hit_of(cid="fedcba9876543210")["visitor_id"] == "fedcba9876543210"
    assert hit_of(cid="short")["visitor_id"] == VISITOR
    nameless = hit_of(_id="")["visitor_id"]
    assert len(nameless) == 32
    assert nameless == hit_of(_id="")["visitor_id"]
    other_site = judged("GET", f"/matomo.php?{query(_id='', idsite=2)}").hit
    assert other_site["visitor_id"] != nameless


@pytest.mark.parametrize(
    ("given", "time"),
    [
        ({"cdt": NOW_MS // 1_000 - 60}, NOW_MS - 60_000),
        ({"cdt": "2026-11-21 23:59:59"}, NOW_MS - 1_000),
        ({"cdo": 90}, NOW_MS - 90_000),
        ({"cdt": NOW_MS // 1_000}, NOW_MS),
        ({"cdt": NOW_MS // 1_000 + 1}, NOW_MS),
        ({"cdt": "2026-02-30 00:00:00"}, NOW_MS),
        ({"cdt": "yesterday"}, NOW_MS),
        ({"cdt": 1_000_000_000}, NOW_MS),  # 2001: more than 20 years
        ({"cdo": -5}, NOW_MS),
        ({}, NOW_MS),
    ],
)
def test_time(given: dict[str, Any], time: int) -> None:
    assert hit_of(**given)["time"] == time


def test_import_fields_need_a_token() -> None:
    given = {"cip": "198.51.100.9", "country": "de"}
    assert not hit_of(**given).keys() & {"ip", "country"}
    hit = hit_of(**given, token_auth="t")
    assert (hit["ip"], hit["country"]) == ("198.51.100.9", "de")


def test_custom_variables_by_their_names() -> None:
    hit = hit_of(cvar='{"1":["Author","Ann"],"2":"broken"}', _cvar='{"1":["Type","vip"]}')
    assert hit["props"] == {"Author": "Ann", "Type": "vip"}


def test_bulk_of_texts_and_objects() -> None:
    requests = [
        f"?{query(r=1)}",
        f"https://x.example/?{query(e_c='a', e_a='b')}",
        {"idsite": 1, "rec": 1, "cid": VISITOR, "url": PAGE, "search": "x"},
        "no query",
        {"idsite": "not a site!", "rec": "1"},
        7,
    ]
    body = {"requests": requests, "token_auth": "t" * 32}
    found = judged("POST", "/matomo.php", body, Content_Type="application/x-www-form-urlencoded")
    assert [hit["event"] for hit in found.hits] == ["page_view", "b", "search"]
    assert [hit["time"] for hit in found.hits] == [NOW_MS - 5, NOW_MS - 4, NOW_MS - 3]
    assert {event.secret for event in found.parsed.events if isinstance(event.hit, dict)} == {"t" * 32}
    assert json.loads(found.answer.body) == {"status": "success", "tracked": 3, "invalid": 3}
    assert [refusal.reason for refusal in found.refusals] == ["not_object", "bad_value", "not_object"]


def test_bulk_without_an_image_is_answered_without_a_body() -> None:
    found = judged("POST", "/matomo.php", {"requests": [f"?{query()}"], "send_image": 0})
    assert (found.answer.status, found.answer.body) == (204, b"")


@pytest.mark.parametrize("body", [b'{"requests":', b'{"requests":7}', b'"requests"'])
def test_bulk_that_is_none(body: bytes) -> None:
    found = judged("POST", "/matomo.php", body)
    assert (found.answer.status, found.hits) == (400, [])
    assert json.loads(found.answer.body)["status"] == "error"


def test_without_image_204() -> None:
    assert judged("GET", f"/matomo.php?{query(send_image=0)}").answer.status == 204


def test_without_rec_and_on_prefetch_nothing_is_recorded_and_the_image_is_sent() -> None:
    for found in (
        judged("GET", f"/matomo.php?{query(rec=0)}"),
        judged("GET", f"/matomo.php?{query()}", Sec_Purpose="prefetch;prerender"),
    ):
        assert list(found.parsed.events) == []
        assert (found.answer.status, found.answer.body) == (200, GIF)


def test_image_without_a_script_takes_the_page_from_the_referer() -> None:
    found = judged("GET", "/matomo.php?idsite=1&rec=1", Referer=PAGE)
    assert found.hit["url"] == PAGE


def test_consent() -> None:
    (event,) = judged("GET", f"/matomo.php?{query(consent=1)}").parsed.events
    assert event.consent == "granted"
