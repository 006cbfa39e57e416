"""Any request to the paths of customer data platforms, e-mail and surveys: no exception, no 5xx, the ledger adds up.

Half of the bodies are made of the words that the parsers look for, so that they get beyond the first question. For
signed webhooks the signature is right: what is behind it is what is tried.
"""

import gzip
import hmac
from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pipeline.core.decode import Flaw, decode

from .kit import NOW_MS, Judged
from .signed_kit import SECRET, Shop, judged_for
from .test_mail_webhooks import KEY, PUBLIC, SHA256, ec

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ISO = "2026-11-22T00:00:00.000Z"
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "shop", "u1", ISO, "9", "1e400", "\x00", "%00", "سفر", "a" * 300]),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([NOW_MS, 1e300, -1, 2**70]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)


def values(words: str) -> SearchStrategy[Any]:
    """JSON of these words, and of others."""
    names = st.one_of(st.sampled_from(words.split()), st.text(max_size=5))
    return st.recursive(
        LEAVES,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=8)),
        max_leaves=25,
    )


def bodies(words: str) -> SearchStrategy[bytes]:
    as_json = st.one_of(
        values(words), st.dictionaries(st.sampled_from(words.split()), values(words), max_size=10)
    )
    return st.one_of(st.binary(max_size=60), as_json.map(msgspec.json.encode))


def check(result: Judged) -> None:
    """What was found is published or refused, each once, and the client is told something that HTTP can carry."""
    found = 0 if result.parsed.rejected else len(result.parsed.events)
    assert len(result.hits) + len(result.refusals) == found
    assert len(result.hits) <= len(result.published) <= found
    assert sum(not isinstance(decode(value), Flaw) for value in result.published) == len(result.hits)
    answer = result.answer
    assert 200 <= answer.status < 500
    assert isinstance(answer.body, bytes)
    assert all("\n" not in value and "\r" not in value for value in answer.headers.values())


SEGMENT = (
    "type batch messageId anonymousId userId previousId groupId event name category properties traits context "
    "timestamp originalTimestamp sentAt writeKey channel page url title referrer campaign source screen width height "
    "products product_id price quantity revenue total currency order_id library consent categoryPreferences Analytics"
)


@MANY
@given(
    bodies(SEGMENT),
    st.sampled_from(
        ["/v1/batch", "/v1/t", "/v1/identify", "/v1/a", "/api/s/page", "/batch", "/beacon/v1/batch"]
    ),
    st.sampled_from(["track", "page", "screen", "identify", "group", "alias"]),
    TEXTS,
)
def test_segment(body: bytes, path: str, kind: str, text: str) -> None:
    headers = {"Authorization": "Basic " + b64encode(text.encode()).decode()}
    check(judged_for(Shop(), "POST", f"{path}?writeKey={quote(text)}", body, **headers))
    try:
        message = {
            "messageId": "m",
            "userId": "u",
            "context": msgspec.json.decode(body),
            "properties": body.decode(),
        }
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    properties = message["context"]
    check(
        judged_for(
            Shop(), "POST", "/v1/batch", {"batch": [{**message, "type": kind, "properties": properties}]}
        )
    )


@MANY
@given(bodies(SEGMENT), st.sampled_from(["/v1/pixel/track", "/pixel/v1/page", "/api/px/track"]))
def test_pixels(body: bytes, path: str) -> None:
    for data in (quote(body), quote(b64encode(body))):
        result = judged_for(Shop(), "GET", f"{path}?data={data}&writeKey=shop")
        check(result)
        assert result.answer.content_type == "image/gif"


POSTHOG = (
    "api_key token batch event uuid distinct_id timestamp offset sent_at properties options $set $device_id $user_id "
    "$current_url $host $pathname $prev_pageview_pathname $referrer $survey_response $survey_name alias $lib $time "
    "$insert_id $groupidentify $pageview $create_alias $identify revenue order_id products process_person_profile"
)


@MANY
@given(
    bodies(POSTHOG),
    st.sampled_from(["/e/", "/batch", "/engage", "/i/v0/e/", "/i/v1/analytics/events"]),
    st.sampled_from(
        ["", "?compression=lz64", "?compression=gzip-js&_=1795305600000", "?data=abc", "?beacon=1"]
    ),
    st.sampled_from(
        ["$pageview", "$create_alias", "$identify", "$groupidentify", "survey sent", "$autocapture"]
    ),
)
def test_posthog(body: bytes, path: str, query: str, name: str) -> None:
    for wrapped in (body, gzip.compress(body), b"data=" + quote(b64encode(body)).encode(), b64encode(body)):
        check(judged_for(Shop(), "POST", path + query, wrapped))
    try:
        properties = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    event = {"event": name, "distinct_id": "u", "properties": properties, "offset": properties}
    check(judged_for(Shop(), "POST", path, {"api_key": "shop", "batch": [event, properties]}))


@MANY
@given(st.text(max_size=40))
def test_paths_that_only_ask(text: str) -> None:
    name = quote(text, safe="")
    for target in (f"/v1/projects/{name}/settings", f"/array/{name}/config", f"/array/{name}/config.js"):
        if name:
            check(judged_for(Shop(), "GET", target, Host=text))
    check(judged_for(Shop(), "GET", f"/sourceConfig/?writeKey={name}"))
    check(judged_for(Shop(), "POST", "/flags/?v=2", text.encode()))


CLOUDEVENTS = (
    "specversion id source type subject time data data_base64 datacontenttype dataschema site event visitor_id user_id "
    "props campaign score scale revenue"
)


@MANY
@given(
    bodies(CLOUDEVENTS),
    st.dictionaries(st.sampled_from(["ce_id", "ce_source", "ce_subject", "ce_time"]), TEXTS),
)
def test_cloudevents(body: bytes, headers: dict[str, str]) -> None:
    check(judged_for(Shop(), "POST", "/cloudevents/shop", body))
    check(judged_for(Shop(), "POST", "/cloudevents", body, ce_specversion="1.0", ce_type="e", **headers))
    check(judged_for(Shop(), "OPTIONS", "/cloudevents", WebHook_Request_Origin="".join(headers.values())))
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "a.b", "subject": "u", "data": data}
    check(judged_for(Shop(), "POST", "/cloudevents/shop", [event, data]))


MAIL = (
    "event-data event id timestamp recipient message headers message-id tags user-variables ip geolocation country "
    "client-info user-agent bot severity delivery-status email sg_event_id sg_message_id category url type reason "
    "RecordType MessageID Tag Metadata Email ReceivedAt DeliveredAt OriginalLink Geo IP SuppressSending Type"
)


@MANY
@given(
    values(MAIL),
    st.sampled_from(["opened", "failed", "clicked", "open", "bounce", "Open", "Bounce", "Click"]),
)
def test_mail_webhooks(value: Any, name: str) -> None:
    event = {**value, "event": name, "RecordType": name} if isinstance(value, dict) else value
    signed_at = str(NOW_MS // 1_000)
    signature = hmac.new(SECRET, f"{signed_at}t".encode(), sha256).hexdigest()
    signed = {"timestamp": signed_at, "token": "t", "signature": signature}
    check(judged_for(Shop(), "POST", "/webhooks/mailgun/shop", {"signature": signed, "event-data": event}))
    body = msgspec.json.encode([event, value])
    proof = b64encode(KEY.sign(signed_at.encode() + body, ec.ECDSA(SHA256()))).decode()
    headers = {
        "X_Twilio_Email_Event_Webhook_Signature": proof, "X_Twilio_Email_Event_Webhook_Timestamp": signed_at,
    }  # fmt: skip
    check(judged_for(Shop(PUBLIC), "POST", "/webhooks/sendgrid/shop", body, **headers))
    check(judged_for(Shop(), "POST", "/webhooks/postmark/shop", event, X_Webhook_Secret=SECRET.decode()))


SURVEYS = (
    "event_type form_response form_id token submitted_at hidden definition fields answers id ref type title properties "
    "steps start_at_one number field nps rating text email event_data person survey_type score comment user_id "
    "created_at updated_at tags person_properties"
)


@MANY
@given(
    bodies(SURVEYS),
    values(SURVEYS),
    st.sampled_from(["survey_response.created", "survey_response.updated", "x"]),
)
def test_surveys(body: bytes, value: Any, kind: str) -> None:
    inside = {"event_type": kind, "event_data": value, "form_response": value}
    for one in (body, msgspec.json.encode(inside)):
        mac = hmac.new(SECRET, one, sha256)
        proofs = {
            "Typeform_Signature": "sha256=" + b64encode(mac.digest()).decode(),
            "X_Delighted_Webhook_Signature": "sha256=" + mac.hexdigest(),
        }
        check(judged_for(Shop(), "POST", "/webhooks/typeform/shop", one, **proofs))
        check(judged_for(Shop(), "POST", "/webhooks/delighted/shop", one, **proofs))


@MANY
@given(
    st.binary(max_size=60),
    st.dictionaries(st.sampled_from(["url", "user_id", "score", "metric", "sig", "x"]), TEXTS),
)
def test_forms_and_links(body: bytes, query: dict[str, str]) -> None:
    asked = urlencode(query)
    check(judged_for(Shop(), "POST", "/survey/shop", body))
    check(judged_for(Shop(), "POST", "/survey/shop", asked.encode()))
    check(judged_for(Shop(), "GET", f"/survey/shop?{asked}"))
    check(judged_for(Shop(), "GET", f"/mail/shop/open.gif?{asked}"))
    check(judged_for(Shop(domains=("shop.example",)), "GET", f"/mail/shop/click?{asked}"))
