"""Messages of signals: signed so that others can check, named by what they say; answers, and how long to wait."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.watching.webhook import (
    LONGEST_WAIT_SECONDS,
    Message,
    Verdict,
    headers_of,
    message_of,
    secret_of,
    verdict_of,
    wait_seconds,
)

SIGNAL = {
    "site": "shop",
    "person_id": "u1",
    "reason": "payment",
    "score": 0.4,
    "state": "raised",
    "time": 1_790_812_800_250,
    "evidence": '{"order_id":"o1"}',
    "version": 7,
}


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 0)
    headers = headers_of(message, secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 1_614_265_330_999)
    assert headers["webhook-id"] == message.id
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_a_message_says() -> None:
    message = message_of(SIGNAL)
    assert json.loads(message.body) == {
        "type": "churn_signal.raised",
        "timestamp": "2026-10-01T00:00:00.250Z",
        "data": {
            "site": "shop",
            "person_id": "u1",
            "reason": "payment",
            "score": 0.4,
            "state": "raised",
            "evidence": {"order_id": "o1"},
        },
    }
    assert message.raised_ms == SIGNAL["time"]
    assert json.loads(message_of(SIGNAL | {"evidence": ""}).body)["data"]["evidence"] is None


def test_the_id_names_the_signal_and_not_the_row_or_the_attempt() -> None:
    known = message_of(SIGNAL).id
    assert message_of(SIGNAL | {"version": 9, "score": 0.5}).id == known
    for change in (
        {"site": "b"},
        {"person_id": "u2"},
        {"reason": "leaving"},
        {"state": "cleared"},
        {"time": 1},
    ):
        assert message_of(SIGNAL | change).id != known, change
    split = message_of(SIGNAL | {"site": "sho", "person_id": "pu1"}).id
    assert split != known


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        ("whsec_not*base64", "not base64"),
        (f"whsec_{base64.b64encode(b'x' * 23).decode()}", "not 23"),
        (f"whsec_{base64.b64encode(b'x' * 65).decode()}", "not 65"),
    ],
)
def test_a_wrong_secret_is_said_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        secret_of(text)
    assert text.removeprefix("whsec_") not in str(caught.value)


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_the_standards_sizes_are_taken(size: int) -> None:
    assert secret_of(f" whsec_{base64.b64encode(b'x' * size).decode()}\n") == b"x" * size


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (302, Verdict.RETRIED),
        (400, Verdict.REFUSED),
        (401, Verdict.RETRIED),
        (403, Verdict.RETRIED),
        (404, Verdict.REFUSED),
        (408, Verdict.RETRIED),
        (410, Verdict.REFUSED),
        (429, Verdict.RETRIED),
        (500, Verdict.RETRIED),
        (503, Verdict.RETRIED),
        (None, Verdict.RETRIED),
    ],
)
def test_what_an_answer_means(status: int | None, verdict: Verdict) -> None:
    assert verdict_of(status) is verdict


def test_waits_double_up_to_the_longest() -> None:
    assert [wait_seconds(n, 0.0) for n in (1, 2, 3, 9, 10, 10_000)] == [1, 2, 4, 256, 300, 300]
    assert wait_seconds(3, 1.0) == 2


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_waits_are_bounded(attempt: int, dice: float) -> None:
    assert 0.5 <= wait_seconds(attempt, dice) <= LONGEST_WAIT_SECONDS
