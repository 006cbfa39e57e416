"""What becomes messages, some at a time: a broker takes none of any size."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

MOST_OF_A_MESSAGE: Final = 20_000  # about a hundred bytes each
Item = TypeVar("Item")


def sliced(items: Iterable[Item]) -> Iterator[list[Item]]:
    """In their order; no slice is empty."""
    rest = iter(items)
    while some := list(islice(rest, MOST_OF_A_MESSAGE)):
        yield some
