"""The table of protocols and the pages about them say the same."""

import re
from pathlib import Path

import pytest

from pipeline.collector.protocols.table import ROUTES, listening

PAGES = Path(__file__).resolve().parents[3] / "docs" / "trackers"
ROWS = re.findall(
    r"^\| .* \| (.*`/.*) \| .* \| \[.*\]\((.*\.md)\) \|$", (PAGES / "README.md").read_text(), re.MULTILINE
)
PATHS = [path for cell, _ in ROWS for path in re.findall(r"`(/[^`]*)`", cell)]


@pytest.mark.parametrize("path", PATHS)
def test_path_in_the_documents_is_listened_to(path: str) -> None:
    assert path == "/v1/hits" or listening(path), path


def test_every_protocol_is_in_the_documents() -> None:
    documented = {route.protocol for path in PATHS for route in listening(path)}
    beside_another = {"sendgrid", "postmark", "delighted"}
    assert {route.protocol for route in ROUTES} - documented <= beside_another
    assert len(ROWS) >= 10


def test_every_page_is_in_the_table() -> None:
    text = (PAGES / "README.md").read_text()
    assert [
        page.name for page in PAGES.glob("*.md") if page.name != "README.md" and f"]({page.name})" not in text
    ] == []


@pytest.mark.parametrize("page", sorted(page.name for page in PAGES.glob("*.md")))
def test_no_page_is_long(page: str) -> None:
    assert len((PAGES / page).read_text().splitlines()) <= 100
