"""What an e-mail counts as."""

import pytest

from pipeline.core.persons.emails import FIGURES, Email, take
from schemas.touchpoint import Touch


@pytest.mark.parametrize(
    ("after", "arrived"),
    [
        ((), 0),
        ((Touch.EMAIL_DELIVERED,), 1),
        ((Touch.EMAIL_OPEN,), 1),
        ((Touch.EMAIL_MACHINE_OPEN,), 1),
        ((Touch.EMAIL_CLICK,), 1),
        ((Touch.EMAIL_COMPLAINT,), 1),
    ],
)
def test_what_was_opened_or_complained_of_has_arrived_after_a_bounce_too(
    after: tuple[Touch, ...], arrived: int
) -> None:
    emails: dict[str, Email] = {}
    sums = [0] * len(FIGURES)
    for kind in (Touch.EMAIL_SENT, Touch.EMAIL_BOUNCE, *after):
        for _, change in take(emails, "spring", kind, 0):
            sums = [one + other for one, other in zip(sums, change, strict=True)]
    found = dict(zip(FIGURES, sums, strict=True))
    assert found.pop("delivered") == arrived
    assert found.pop("bounced") == 1
    assert max(found.values()) <= arrived
