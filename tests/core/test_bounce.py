"""The definition matrix of bounces: what was done in the session, and what each preset says of it."""

import numpy as np
import pytest

from pipeline.core.bounce import PRESETS, bounced


def said_of(preset: str, **sums: int) -> bool:
    """Of one session, in the middle of two that are none."""
    columns = {name: np.array([0, value, 0]) for name, value in sums.items()}
    before, said, after = bounced(preset, **columns).tolist()
    assert not before
    assert not after
    return bool(said)


# name: (views, custom events, conversions among hits that are no views, duration in ms) -> bounced by preset
MATRIX = {
    "one page": ((1, 0, 0, 0), (True, True, True)),
    "one page and a custom event": ((1, 1, 0, 5_000), (True, False, True)),
    "one page and a background event": ((1, 0, 0, 0), (True, True, True)),  # it is in no session
    "one page, 9.999 s, by a custom event": ((1, 1, 0, 9_999), (True, False, True)),
    "one page, 10 s, by a custom event": ((1, 1, 0, 10_000), (True, False, False)),
    "one page and a purchase": ((1, 0, 1, 5_000), (True, False, False)),
    "no page and a custom event": ((0, 1, 0, 0), (False, False, False)),
    "no page and a purchase": ((0, 0, 1, 0), (False, False, False)),
    "two pages at once": ((2, 0, 0, 0), (False, False, False)),
    "two pages, 20 s": ((2, 0, 0, 20_000), (False, False, False)),
}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", MATRIX)
def test_matrix(name: str, preset: str) -> None:
    (views, custom_events, conversions, duration_ms), expected = MATRIX[name]
    said = said_of(
        preset,
        views=views,
        hits=views + custom_events + conversions,
        duration_ms=duration_ms,
        conversions=conversions,
    )
    assert said is expected[PRESETS.index(preset)]


def test_a_view_that_is_itself_a_goal_is_engaged_only_for_ga4() -> None:
    said = {preset: said_of(preset, views=1, hits=1, duration_ms=0, conversions=1) for preset in PRESETS}
    assert said == {"pages": True, "plausible": True, "ga4": False}


def test_unknown_preset_names_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="'strict'; allowed are pages, plausible, ga4"):
        said_of("strict", views=1, hits=1, duration_ms=0, conversions=0)
