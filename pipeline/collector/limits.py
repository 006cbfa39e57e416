"""What one collector takes on. Bytes, hits and seconds; checked against each other when they are made."""

from msgspec import Struct

from schemas.hit import MAX_HIT_BYTES


class Limits(Struct, frozen=True, kw_only=True):
    """``ValueError`` names the limit that cannot hold."""

    max_body_bytes: int = 4 * 1024 * 1024  # as sent, and again once inflated
    max_hits_per_request: int = 10_000  # a request of this size occupies the event loop for some 50 ms
    max_held_bytes: int = 64 * 1024 * 1024  # bodies in hand, of all requests together
    max_backlog: int = 2_000_000  # hits in the topic that nobody has consumed yet
    max_line_bytes: int = MAX_HIT_BYTES  # request line: a hit.gif carries its hit there
    read_timeout_s: int = 10  # from the end of the headers to the end of the body
    publish_timeout_s: float = 30
    idle_timeout_s: int = 75  # a connection without a complete request head
    retry_after_s: int = 5

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than 0, not {getattr(self, name)}")
        if self.max_body_bytes < MAX_HIT_BYTES:
            raise ValueError(f"max_body_bytes must hold one hit: at least {MAX_HIT_BYTES}")
        if self.max_held_bytes < 2 * self.max_body_bytes:
            raise ValueError(
                "max_held_bytes must hold one body twice (sent and inflated): 2 x max_body_bytes"
            )
