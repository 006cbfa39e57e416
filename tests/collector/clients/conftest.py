"""A collector by the wall clock, and a browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ..chromium import Page, open_browser
from ..conftest import Server, Start
from .kit import now_ms


@pytest.fixture
async def server(start: Start) -> Server:
    return await start(now_ms=now_ms)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with open_browser(tmp_path / "profile") as tab:
        yield tab
