"""What of a unit's touchpoints goes to the windows as it is."""

import pytest

from pipeline.core.persons.news import gather
from schemas.touchpoint import Touch
from tests.core.persons.kit import DAY, Seen, note, touchpoints


@pytest.mark.parametrize(
    ("kind", "good", "neither", "bad"), [(Touch.CSAT, 8, 7, 4), (Touch.CES, 4, 5, 7), (Touch.NPS, 9, 7, 6)]
)
def test_of_answers_the_good_and_the_bad_are_counted(kind: Touch, good: int, neither: int, bad: int) -> None:
    answers = [Seen("v1", note(kind, DAY, amount=score * 1_000_000)) for score in (good, neither, bad)]
    sums = [one.sums for one in gather([touchpoints(answers)]).measures]
    assert [one[2:] for one in sums] == [[1, 0], [0, 0], [0, 1]]
