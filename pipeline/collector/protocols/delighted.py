"""Delighted's webhook: a signed response, its update, or an unsubscription.

The person is ``user_id`` or ``visitor_id`` of the survey's properties, else the e-mail address. Kinds of survey that
are no NPS, CSAT or CES keep their own metric, and their score counts for none of these.
"""

from typing import Any, Final

from pipeline.collector.protocols.base import Answer, Event, Hit, Parsed, Request, route
from pipeline.collector.protocols.fields import (
    decoded,
    digest,
    encoded,
    fitted,
    list_of,
    number,
    object_of,
    text_of,
)
from pipeline.collector.protocols.instants import instant
from pipeline.collector.protocols.signatures import is_hex_hmac, site_of, unsigned
from pipeline.collector.protocols.survey_metrics import as_effort
from pipeline.collector.protocols.typeform import USERS, VISITORS, first_of

_OK = Answer(200, b"ok", "text/plain")
# kind of survey -> (metric, best mark)
_KINDS: Final = {
    "nps": ("nps", 10), "csat": ("csat", 5), "ces": ("ces", 5), "ces7": ("ces", 7), "smileys": ("csat", 5),
    "stars": ("csat", 5), "thumbs": ("thumbs", 1), "enps": ("enps", 10), "pmf": ("pmf", 3),
}  # fmt: skip


def parse(request: Request) -> Parsed:
    """A response, its update, or an unsubscription."""
    site = site_of(request)
    secret = request.sites.secret_of(site, "delighted")
    if secret is None:
        return unsigned("no secret of delighted is set for this site")
    given = request.headers.get("X-Delighted-Webhook-Signature", "").removeprefix("sha256=")
    if not is_hex_hmac(secret, request.body, given):
        return unsigned("the signature is wrong")
    body = object_of(decoded(request.body))
    data = object_of(body.get("event_data"))
    kind = text_of(body.get("event_type"))
    if kind in ("survey_response.created", "survey_response.updated"):
        hit: Hit | bytes = _hit(kind, data)
    elif kind == "unsubscribe.created":
        hit = _person({"event": "email_unsubscribe", "hit_id": text_of(body.get("event_id"))}, data)
    else:
        hit = encoded(body)
    return Parsed((Event(hit, site, is_signed=True),), _OK)


def _hit(kind: str, data: dict[str, Any]) -> Hit:
    """An update tells again what was counted, so that its score is kept beside, in ``props.score``."""
    metric, scale = _KINDS.get(text_of(data.get("survey_type")), (text_of(data.get("survey_type")), None))
    score = number(data.get("score"))
    response = text_of(data.get("id"))
    props: dict[str, Any] = {
        "metric": metric, "provider": "delighted", "comment": text_of(data.get("comment")),
        "tags": list_of(data.get("tags")), "answers": list_of(data.get("additional_answers")),
        **object_of(data.get("person_properties")),
    }  # fmt: skip
    if metric == "ces":  # asked as "it was easy": 5 is the best answer
        score = as_effort(score, scale, props)
    if kind == "survey_response.updated":
        changed = text_of(data.get("updated_at"))
        update = {
            "hit_id": digest("delighted", response, changed),
            "props": {**props, "update": True, "score": score},
        }
        return _person({"event": "survey_response", "time": instant(data.get("updated_at")), **update}, data)
    return _person(
        {
            "event": "survey_response",
            "hit_id": digest("delighted", response) if response else "",
            "time": instant(data.get("created_at")),
            "score": score,
            "scale": scale,
            "props": props,
        },
        data,
    )


def _person(hit: Hit, data: dict[str, Any]) -> Hit:
    person, given = object_of(data.get("person")), object_of(data.get("person_properties"))
    visitor = first_of(given, VISITORS)
    email = text_of(person.get("email")).strip().lower()
    hit["visitor_id"] = visitor
    hit["user_id"] = first_of(given, USERS) or ("" if visitor else email)
    return fitted(hit)


ROUTES = (route("delighted", "POST", r"/webhooks/delighted/[\w.-]{1,64}/?", parse),)
