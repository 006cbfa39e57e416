"""docs/figures.md says every view of history, and nothing that is not there."""

import re
from pathlib import Path

from pipeline.journey.attribution import LEARNED
from pipeline.store.content import BUILT_IN
from pipeline.store.migrations import bundled

FIGURES = (Path(__file__).parents[2] / "docs" / "figures.md").read_text("utf-8")
NUMBERS = (3, 4, 5, 6, 8, 9)  # the migrations of history


def test_every_view_of_history_has_its_line() -> None:
    made = {
        view
        for migration in bundled()
        if migration.number in NUMBERS
        for view in re.findall(r"CREATE OR REPLACE VIEW (\w+)", migration.sql)
    }
    told = set(re.findall(r"^\| `(\w+)` \|", FIGURES.partition("## Attribution")[0], re.MULTILINE))
    assert told == made - {"stages"}, "stages is in docs/store.md"


def test_every_learned_model_and_kind_of_content_is_told() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", FIGURES, re.MULTILINE)) >= set(LEARNED)
    (listed,) = re.findall(r"Built in: ([\w, ]+)\.", FIGURES)
    assert sorted(listed.split(", ")) == sorted(BUILT_IN)
