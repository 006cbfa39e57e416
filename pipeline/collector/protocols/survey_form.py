"""A survey of one's own: ``/survey/SITE`` takes a plain HTML form, and asks back where a link in an e-mail leads.

    <form method="post" action="https://collect.example/survey/shop">
      <input type="hidden" name="metric" value="nps"> <input name="score"> <textarea name="comment"></textarea>

``GET`` with the same fields shows a page with one button, which sends them: mail scanners follow links, and would
answer for everybody. ``POST`` is the answer: a ``survey_response``, and a page that says thank you.
"""

import re
from html import escape
from typing import Any, Final

from pipeline.collector.protocols.base import NO_STORE, Answer, Event, Parsed, Request, Verdicts, route
from pipeline.collector.protocols.fields import decoded, digest, fitted, number, parameters, text_of
from pipeline.collector.protocols.survey_metrics import BEST, as_effort, asks_for_ease

_FIELDS: Final = ("score", "scale", "user_id", "visitor_id", "order_id", "url", "response_id")
_HEADERS: Final = {
    **NO_STORE,
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'",
    "Referrer-Policy": "same-origin",  # with "no-referrer" the form's Origin would be null, and nobody's
}
_PAGE: Final = """<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""
_NAME = re.compile(r"[\w.-]{1,64}")


def parse_answer(request: Request) -> Parsed:
    """An answer: a form, or an object of JSON."""
    body = request.body
    found = decoded(body)
    if isinstance(found, dict):
        fields = {name: text_of(value) for name, value in found.items()}
    elif b"=" in body and not body.startswith(b"--"):
        fields = parameters(body.decode(errors="replace"))
    else:
        events = (Event(body, _site(request)),) if body.strip() else ()
        return Parsed(events, _page(400, "This could not be read", "<p>A form or JSON is expected.</p>"))
    return Parsed((Event(_hit(fields), _site(request)),), _thanks)


def parse_question(request: Request) -> Parsed:
    """The page that a link in an e-mail leads to."""
    query = parameters(request.query)
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.items()
        if _NAME.fullmatch(name)
    )
    score = escape(query.get("score", ""))
    form = f'<form method="post" action="{escape(request.path)}">{inputs}<p>{score}</p><button>Send</button></form>'
    return Parsed(answer=_page(200, "Your answer", form))


def _hit(fields: dict[str, str]) -> dict[str, Any]:
    metric = fields.get("metric", "").lower()
    response = fields.get("response_id", "")
    rest: dict[str, Any] = {name: value for name, value in fields.items() if name not in _FIELDS}
    score, scale = number(fields.get("score")), number(fields.get("scale")) or BEST.get(metric)
    if metric == "ces" and asks_for_ease(rest.get("direction", "")):
        score = as_effort(score, scale, rest)
    return fitted({
        "event": "survey_response",
        "user_id": fields.get("user_id", ""),
        "visitor_id": fields.get("visitor_id", ""),
        "order_id": fields.get("order_id", ""),
        "url": fields.get("url", ""),
        "hit_id": digest("survey", response, metric) if response else "",
        "score": score,
        "scale": scale,
        "props": {**rest, "metric": metric},
    })  # fmt: skip


def _site(request: Request) -> str:
    return request.path.rstrip("/").rpartition("/")[2]


def _thanks(verdicts: Verdicts) -> Answer:
    refused = [verdict for verdict in verdicts if verdict is not None]
    if refused:
        return _page(
            400, "This could not be taken", f"<p>{escape(refused[0].reason)} {escape(refused[0].field)}</p>"
        )
    return _page(200, "Thank you", "<p>Your answer has been received.</p>")


def _page(status: int, title: str, body: str) -> Answer:
    return Answer(status, _PAGE.format(title=title, body=body).encode(), "text/html", _HEADERS)


ROUTES = (
    route("survey", "POST", r"/survey/[\w.-]{1,64}/?", parse_answer),
    route("survey", "GET", r"/survey/[\w.-]{1,64}/?", parse_question),
)
