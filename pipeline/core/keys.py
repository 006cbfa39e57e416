"""Keys of many visitors and persons; compiled (``keying``) where that could be built, which gives the same."""

import numpy as np

from pipeline.core.coded import Coded
from pipeline.core.ids import SEPARATOR, name_of, partition_of, person_of, session_id
from pipeline.core.slots import Array, Index


def halves_of_each(keys: list[str]) -> tuple[list[str], list[str]]:
    """The keys' sites, and what stands after those."""
    found = [key.partition(SEPARATOR) for key in keys]
    return [site for site, _, _ in found], [rest for _, _, rest in found]


def names_of_each(keys: list[str]) -> list[str]:
    """Visitors' names as they are in their sessions' ids: :func:`pipeline.core.ids.name_of`."""
    return [name_of(key) for key in keys]


def persons_of_each(sessions: list[tuple[str, str]]) -> tuple[list[str], list[bool]]:
    """Whose sessions these are, of a visitor's key and a user each: :func:`pipeline.core.ids.person_of`."""
    found = [person_of(key, user) for key, user in sessions]
    return [person for person, _ in found], [is_user for _, is_user in found]


def partitions_of_each(keys: list[str], count: int) -> Index:
    """:func:`pipeline.core.ids.partition_of`, of ``count`` partitions."""
    return np.array([partition_of(key, count) for key in keys], np.int64)


def session_ids_by_each(keys: Coded, start_times: Index) -> Array:
    """The ids of many, 16 bytes each."""
    ids = [session_id(key, start) for key, start in zip(keys, start_times.tolist(), strict=True)]
    return np.frombuffer(bytes.fromhex("".join(ids)), "V16")


def session_ids_at_once(keys: Coded, start_times: Index) -> Array:
    """The same, compiled."""
    named, starts = names(list(keys.values)), list(map(str, start_times.tolist()))
    ids = digests.digests(named, keys.codes, starts, size=64, kept=16)
    return np.frombuffer(ids, "V16")


try:
    from pipeline.core import keying
except ImportError:  # not compiled
    halves, names, persons, partitions = halves_of_each, names_of_each, persons_of_each, partitions_of_each
else:
    halves, names, persons, partitions = keying.halves, keying.names, keying.persons, keying.partitions

try:
    from pipeline.core import digests
except ImportError:  # not compiled
    session_ids = session_ids_by_each
else:
    session_ids = session_ids_at_once
