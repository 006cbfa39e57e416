"""Access logs written as JSON, one object a line: nginx with ``escape=json``, Caddy, and what is like them.

The names of the fields are the operator's choice; those that nginx's own variables suggest are known. A value that is
not there is missing, ``""`` or ``-``. Caddy's request is an object of its own, its headers are lists.
"""

import re
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from pipeline.sources.times import log_time, to_ms


class Request(NamedTuple):
    """One line, of any kind of log. ``time``: ms UTC. Texts are "" where the log has none; ``target`` as requested."""

    host: str
    address: str
    user: str
    time: int
    method: str
    target: str
    status: str
    referrer: str
    agent: str


_TIMES = ("time_iso8601", "@timestamp", "timestamp", "time", "msec", "ts", "time_local")
_ADDRESSES = ("remote_addr", "client_ip", "remote_ip", "ip")
_METHODS = ("request_method", "method")
_TARGETS = ("request_uri", "uri")
_HOSTS = ("host", "http_host", "server_name")
_REFERRERS = ("http_referer", "referer", "referrer")
_AGENTS = ("http_user_agent", "user_agent", "agent")
_NUMBER = re.compile(r"\d{1,10}(\.\d{1,9})?", re.ASCII)


def request_of(line: bytes) -> Request | None:
    """The request that the line tells of; None for a line of another kind. ValueError: a time that is none."""
    if not line.startswith(b"{"):
        return None
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    inner = told.get("request")
    if isinstance(inner, dict):
        told = {**_headers(inner), **told, **inner}
    status, time = _first(told, ("status",)), _first(told, _TIMES)
    method, target = _first(told, _METHODS), _target(told)
    if not method and isinstance(inner, str):
        method, _, rest = inner.partition(" ")
        target = target or rest.rpartition(" HTTP/")[0] or rest
    if not (status and time and method and "event" not in told):
        return None
    return Request(
        _first(told, _HOSTS).removesuffix("_"),
        _first(told, _ADDRESSES),
        _first(told, ("remote_user", "user")),
        _time(time),
        method,
        target,
        status,
        _first(told, _REFERRERS),
        _first(told, _AGENTS),
    )


def _headers(request: dict[str, Any]) -> dict[str, str]:
    """Caddy's: ``{"User-Agent": ["…"]}``."""
    headers = request.get("headers")
    given = headers.items() if isinstance(headers, dict) else ()
    return {
        name.lower().replace("-", "_"): str(value[0])
        for name, value in given
        if isinstance(value, list) and value
    }


def _target(told: dict[str, Any]) -> str:
    target = _first(told, _TARGETS)
    query = _first(told, ("args", "query_string"))
    return f"{target}?{query}" if query and "?" not in target else target


def _first(told: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = told.get(name)
        if isinstance(value, str | int | float) and str(value) not in ("", "-"):
            return str(value)
    return ""


def _time(text: str) -> int:
    """ISO 8601, seconds since 1970, or the time of a common log line."""
    if _NUMBER.fullmatch(text):
        return round(float(text) * 1_000)
    if text[2:3] == "/":
        return log_time(text)
    return to_ms(datetime.fromisoformat(text))
