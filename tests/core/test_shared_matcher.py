"""The partitions of a process share what is known of pages, channels and devices: each says what it would say alone."""

import pytest
from session_kit import NOON, Hit, evidence_of, rules, stored_hits

from pipeline.core import look
from pipeline.core.intake import Intake, matcher_of
from pipeline.core.intake_unit import Output

PAGES = ("/", "/pricing", "/cancel", "/blog/1", "/checkout", "/unsubscribe/now")
EVENTS = ("page_view", "purchase", "email_sent", "survey_response", "sign_up")


def unit(intake: Intake, begin: int, number: int) -> Output:
    """Some hits, from the page ``begin`` on."""
    hits = [
        Hit(
            NOON + at * 1_000,
            url=f"https://example.com{PAGES[(begin + at) % len(PAGES)]}",
            event=EVENTS[(begin + at) % len(EVENTS)],
            referrer=f"https://news{begin}.example.org/",
        ).raw
        for at in range(4)
    ]
    intake.take(hits, [NOON] * 4, [number * 4 + at for at in range(4)])
    return intake.finish(NOON, has_records=True, is_caught_up=False)


@pytest.mark.parametrize("most", [look.MOST_REMEMBERED, 3])
def test_partitions_that_share_a_matcher_say_what_each_says_alone(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "MOST_REMEMBERED", most)
    matcher = matcher_of(rules())
    shared = [Intake(rules(), 0, matcher), Intake(rules(), 1, matcher)]
    alone = [Intake(rules(), 0), Intake(rules(), 1)]
    for number, begin in enumerate((0, 2, 1, 5, 3, 4, 0, 5)):
        partition = number % 2
        found, expected = (unit(some[partition], begin, number) for some in (shared, alone))
        assert stored_hits(found) == stored_hits(expected)
        assert evidence_of(found) == evidence_of(expected)
        assert found.touched == expected.touched
