"""The visitors of bench.outage: what is not acknowledged is sent again, and only what was counts."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from msgspec.structs import replace

from bench.outage import CONNECTIONS, Result, Visitor

REFUSED = 3
WELL = Result(
    seconds=1,
    full_rate=1,
    kills=1,
    acknowledged=1,
    answers=Counter({200: 1}),
    slowest=0,
    known=0,
    lost=0,
    twice=0,
    unasked=0,
    uncounted=0,
)


@contextmanager
def collector(taken: list[str]) -> Iterator[str]:
    """Answers 503 a few times, then 200; ``taken``: the ids of all requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["hit_id"])
            self.send_response(503 if len(taken) <= REFUSED else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_hit_is_sent_until_it_is_acknowledged() -> None:
    taken: list[str] = []
    with collector(taken) as url:
        visitor = Visitor("v", lambda: url, 0.01)
        visitor.start()
        deadline = time.monotonic() + 20
        while visitor.acknowledged < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        visitor.end()
        visitor.join(20)
    assert visitor.acknowledged >= 5
    assert visitor.answers == {503: REFUSED, 200: visitor.acknowledged}
    assert taken == ["v-0"] * REFUSED + [f"v-{number}" for number in range(visitor.acknowledged)]


@pytest.mark.parametrize("flaw", ["lost", "twice", "uncounted"])
def test_what_is_lost_or_twice_is_not_well(flaw: str) -> None:
    assert WELL.is_well
    assert not replace(WELL, **{flaw: 1}).is_well
    assert not replace(WELL, unasked=2 * CONNECTIONS + 1).is_well
