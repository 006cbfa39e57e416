"""A person who is to be forgotten: what the hops are told. Not kept with its ids once that is done."""

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
