"""What other processes ask of a running Masir, by requests in the file of the topics: done one after the other."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol

from pipeline.store.errors import StoreError

LOOK_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Doer(Protocol):
    """Does what is asked of it, each request until it is done."""

    async def do_all(self) -> None: ...


async def watch(doers: Sequence[Doer], crashed: Callable[[Exception], object]) -> None:
    """For ever. ``crashed`` is told what cannot be gone on with."""
    while True:
        for doer in doers:
            try:
                await doer.do_all()
            except (StoreError, sqlite3.Error):  # away or busy: the request is still there
                _log.exception("%s could not do what was asked, trying again", type(doer).__name__)
                break  # those after it may have to wait for it
            except Exception as error:
                crashed(error)
        await asyncio.sleep(LOOK_SECONDS)
