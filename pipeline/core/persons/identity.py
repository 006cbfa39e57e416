"""Whose a visitor's hits are. All of it is a function of the set of links, unlinks and refusals, never of their order.

A hit with a ``user_id`` belongs to that user, whatever device it came from. A hit without one belongs to an owner of
its visitor, if there is any, else to the visitor as a person of its own. Users become owners with the first hit that
has both ids. On a shared device, a hit without a user belongs to the owner who was the last to turn up by then; what
was before the first of them belongs to the first: a login also tells whose the time before it was. Two users are
never one person because they share a device: what a link joins is a visitor to a user, so a loop of links, or a
visitor who has the id of its user, changes nothing.

A pair that an operator has unlinked is no link, whatever hits say, before and after, until the operator takes that
back; of several such words the latest holds. A visitor has at most MAX_OWNERS owners and a user at most so many
visitors as is set: the earliest, ties broken by value. The others are refused, and stay persons of their own.

Times in ms, UTC. The visitor keeps :class:`Links`, the user :class:`Members`. Nothing raises.
"""

from bisect import bisect_right
from typing import Final

from msgspec import Struct

MAX_OWNERS: Final = 64
MOST_VISITORS: Final = 100  # of one user, unless the settings say otherwise
NOBODY: Final = ""

Owners = tuple[tuple[int, ...], tuple[str, ...]]  # since when, who: by time, then by value
NO_OWNERS: Final[Owners] = ((), ())


class Links(Struct, array_like=True, gc=False):
    """Of one visitor. ``since``: user -> time of the first hit with both ids. ``words``: user -> the operator's latest
    word, (when it was said, is the pair unlinked?). ``refused``: users who have too many visitors.
    """

    since: dict[str, int] = {}
    words: dict[str, tuple[int, bool]] = {}
    refused: list[str] = []


class Members(Struct, array_like=True, gc=False):
    """Of one user: visitor -> since when."""

    visitors: dict[str, int] = {}


def link(links: Links, user_id: str, time: int) -> bool:
    """Note a hit with both ids. True: the user is to be told since when (:func:`claim`)."""
    known = links.since.get(user_id)
    if known is not None and known <= time:
        return False
    links.since = {**links.since, user_id: time}
    if len(links.since) > MAX_OWNERS:
        last = max(links.since, key=lambda user: (links.since[user], user))
        del links.since[last]
        return last != user_id
    return True


def say(links: Links, user_id: str, time: int, *, is_unlinked: bool) -> None:
    """Note an operator's word on the pair, said at ``time``; at the same time, unlinked holds."""
    word = (time, is_unlinked)
    links.words = {**links.words, user_id: max(word, links.words.get(user_id, word))}


def refuse(links: Links, user_id: str, *, is_refused: bool) -> None:
    """Note what the user answers to a claim."""
    links.refused = sorted({*links.refused, user_id} if is_refused else {*links.refused} - {user_id})


def owners(links: Links) -> Owners:
    """Who owns the visitor, and since when."""
    valid = [
        (since, user)
        for user, since in links.since.items()
        if user not in links.refused and not links.words.get(user, (0, False))[1]
    ]
    valid.sort()
    return tuple(since for since, _ in valid), tuple(user for _, user in valid)


def owner_at(known: Owners, time: int) -> str:
    """Whose a hit without a user is; NOBODY: the visitor's own."""
    times, users = known
    if not users:
        return NOBODY
    return users[max(bisect_right(times, time) - 1, 0)]


def claim(members: Members, visitor_id: str, since: int, most: int) -> list[tuple[str, bool]]:
    """A visitor is linked since then: take it among the ``most``; (visitor, is refused) of those to be told."""
    visitors = members.visitors
    known = visitors.get(visitor_id)
    if known is not None:
        if since < known:
            members.visitors = {**visitors, visitor_id: since}
        return []
    members.visitors = visitors = {**visitors, visitor_id: since}
    if len(visitors) <= most:
        return []
    last = max(visitors, key=lambda visitor: (visitors[visitor], visitor))
    del visitors[last]
    return [(last, True)] if last == visitor_id else [(last, True), (visitor_id, False)]
