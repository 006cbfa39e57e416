"""From a hit to the CRM: a customer cancels, the running pipeline tells who and why, and again when they are back."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from system.kit import gauge, post

from bench.running import Running, wait_for
from pipeline.watching.webhook import Message, headers_of
from watching.listener import Listener
from watching.traffic import events

KEY = b"k" * 24


class Crm(Listener):
    """Keeps what is told with a right signature."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []

    def take(self, request: BaseHTTPRequestHandler, body: bytes) -> int:
        headers = request.headers
        sent_ms = int(headers["webhook-timestamp"]) * 1000
        expected = headers_of(Message(headers["webhook-id"], body, 0), KEY, sent_ms)
        if headers["webhook-signature"] != expected["webhook-signature"]:
            return 401
        self.told.append(json.loads(body))
        return 204

    def find(self, kind: str, person: str) -> dict[str, Any] | None:
        """What was told of a person."""
        said = (one["data"] for one in list(self.told) if one["type"] == f"churn_signal.{kind}")
        return next((data for data in said if data["person_id"] == person), None)


@pytest.fixture
def crm() -> Iterator[Crm]:
    with Crm().listening() as made:
        yield made


def test_a_customer_who_cancels_is_told_and_told_again_when_back(tmp_path: Path, crm: Crm) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"whsec_{base64.b64encode(KEY).decode()}")
    url = f"http://127.0.0.1:{crm.port}/masir"
    with Running(tmp_path / "data", webhook_url=url, webhook_secret_file=secret) as pipeline:
        post(pipeline, *events("shop", 1, "subscription_cancel"))
        told = wait_for(lambda: crm.find("raised", "c-shop-0"), "the CRM is told")
        assert (told["site"], told["reason"], told["state"]) == ("shop", "leaving", "raised")
        post(pipeline, *events("shop", 1, "subscription_renew"))
        wait_for(lambda: crm.find("cleared", "c-shop-0"), "the CRM is told that it is over")
        wait_for(
            lambda: gauge(pipeline, "masir_webhook_attempts_total", outcome="delivered") == len(crm.told),
            "counted",
        )
        assert pipeline.stop() == 0
