"""What the surveys of all protocols share: which metric is meant, its best mark, and which way round CES is asked.

Masir's CES is effort: a high mark is bad. Surveys that ask how *easy* it was mean the opposite, and are turned round;
the mark as given stays in ``props.score_given``.
"""

import re
from typing import Any, Final

BEST: Final = {"nps": 10, "csat": 5, "ces": 7}
_METRIC = re.compile(r"(?<![a-z])(nps|csat|ces)(?![a-z])")
_EASE = re.compile(r"(?<![a-z])(ease|easy|easily)(?![a-z])")


def metric_in(text: str) -> str:
    """The metric that a survey's name or question speaks of; "" if none."""
    found = _METRIC.search(text.lower())
    return found[1] if found else ""


def asks_for_ease(text: str) -> bool:
    """Is a high mark a good one, in this question about effort?"""
    return _EASE.search(text.lower()) is not None


def as_effort(
    score: int | float | None, scale: int | float | None, props: dict[str, Any]
) -> int | float | None:
    """A mark of ease, from 1 to ``scale``, as one of effort."""
    if score is None or scale is None:
        return score
    props["score_given"] = score
    return scale + 1 - score
