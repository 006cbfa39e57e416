"""A collector by the wall clock, and a browser."""

from collections.abc import AsyncIterator

import pytest

from ..chromium import Page, open_page
from ..conftest import Server, Start
from .kit import now_ms


@pytest.fixture
async def server(start: Start) -> Server:
    return await start(now_ms=now_ms)


@pytest.fixture
async def page(browser: str) -> AsyncIterator[Page]:
    async with open_page(browser) as tab:
        yield tab
