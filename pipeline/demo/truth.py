"""What is true of the synthetic shop's stream, kept while it is made. Money in cents."""

from msgspec import Struct

GOALS = frozenset({"purchase", "sign_up", "subscribe", "generate_lead"})


class Customer(Struct):
    """What is true of one customer; ``known``: has a user_id on every hit."""

    key: str
    archetype: str
    known: bool
    visitor_ids: list[str] = []
    first_channel: str = ""
    sessions: int = 0
    orders: int = 0
    cents: int = 0
    refunded_cents: int = 0
    left: str = ""  # the reason, "" for who did not say good-bye

    @property
    def user_id(self) -> str:
        return f"user-{self.key}" if self.known else ""


class Truth(Struct):
    """What is true of the stream; complete when its last hit has been taken.

    ``hits`` = ``interactive + background + duplicates + bots + malformed``.
    """

    customers: list[Customer] = []
    hits: int = 0
    interactive: int = 0
    background: int = 0
    duplicates: int = 0
    bots: int = 0
    malformed: int = 0
    sessions: int = 0
    bounces: int = 0  # sessions with exactly one page view
    converted: int = 0  # sessions with at least one goal
    conversions: int = 0
