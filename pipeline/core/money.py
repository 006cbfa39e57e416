"""Money in integer micros (millionths of the currency's unit), so that a sum does not depend on its order."""

from typing import Final

MOST_MICROS: Final = 2**63 - 1  # what 64 bits hold: more than nine million millions


def micros(amount: float) -> int:
    """An amount of money in millionths of its unit."""
    return round(amount * 1e6)


def add_micros(one: int, other: int) -> int:
    """The sum; absurd ones stay at the edge of what can be stored."""
    return max(-MOST_MICROS, min(one + other, MOST_MICROS))
