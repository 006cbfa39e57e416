"""What became of a hit, and what the ledger says of it.

received = accepted + duplicate + bot + dead_letter, and accepted = sessionized + background + late.
"""

from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    """Every hit received has exactly one."""

    SESSIONIZED = "sessionized"
    BACKGROUND = "background"
    LATE = "late"
    DUPLICATE = "duplicate"
    BOT = "bot"
    DEAD_LETTER = "dead_letter"


ACCEPTED = (Outcome.SESSIONIZED, Outcome.BACKGROUND, Outcome.LATE)


class Reason(StrEnum):
    """Why a hit became a dead letter: a closed list."""

    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    TOO_LARGE = "too_large"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_VALUE = "bad_value"
    ERASED = "erased"  # a person who was erased; nothing of the hit is kept


class LedgerRow(Struct, gc=False):
    """How many hits of ``site`` ended as ``outcome`` in one partition since its beginning; replaces earlier rows."""

    partition: int
    site: str
    outcome: Outcome
    hits: int
    version: int


class DeadLetter(Struct, gc=False):
    """A hit that could not be read. ``raw``: its bytes, cut at 64 KiB (base64 in JSON)."""

    topic: str
    partition: int
    offset: int
    reason: Reason
    field: str
    message: str
    site: str
    received_time: int
    raw: bytes
