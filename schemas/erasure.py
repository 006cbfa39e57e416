"""A person who is to be forgotten: what is asked, and what the hops are told. Not kept with ids once that is done."""

from typing import NamedTuple

from msgspec import Struct


class Erasure(Struct, frozen=True):
    """``users`` and ``visitors``: the person's ids at ``site``. ``shared``: visitors whom others use too."""

    number: int
    site: str
    users: frozenset[str] = frozenset()
    visitors: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    @property
    def ids(self) -> frozenset[str]:
        """All ids by which rows know the person."""
        return self.users | self.visitors

    def is_of(self, visitor_id: str, user_id: str, person_id: str = "") -> bool:
        """Does a row with these ids, of the same site, tell of the person?"""
        return user_id in self.users or visitor_id in self.visitors or person_id in self.ids


class Request(NamedTuple):
    """``kind``: ``u`` for a user, ``v`` for a visitor. ``number`` counts up, with gaps."""

    number: int
    site: str
    kind: str
    id: str
    asked_ms: int


class Step(Struct, frozen=True):
    """Of several workers: what each of them is to do now, in the order of ``at``, in every partition of ``ends``.

    ``ends``: bare topic -> per partition, the offset up to which records are to be consumed before. ``erasure``: whom
    the reader of the topic is to forget then; None: nobody.
    """

    number: int
    at: int
    ends: dict[str, list[int]]
    erasure: Erasure | None = None


class Place(NamedTuple):
    """A partition in which a step is done."""

    number: int
    at: int
    topic: str
    partition: int
