"""How many random inputs a test takes: all in CI and ``make load``, a quarter at a desk, where tests are run often."""

import os

IS_LONG = os.environ.get("CI") == "true" or "LONG" in os.environ


def examples(most: int) -> int:
    """Of so many."""
    return most if IS_LONG else most // 4
