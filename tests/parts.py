"""Real parts that tests need and a machine may not have."""

import os
from typing import NoReturn

import pytest


def missing(part: str) -> NoReturn:
    """Skips the test, which says what it wants; in CI (``CI=true``) it fails, where nothing is left out in silence."""
    if os.environ.get("CI") == "true":
        pytest.fail(part, pytrace=False)
    pytest.skip(part)
