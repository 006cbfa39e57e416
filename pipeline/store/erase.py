"""Takes a person out of the store: rows of every table that knows persons, and what belongs to their sessions.

Rows are found by salted hashes of the ids, so that no id stands in a statement: the engine writes those to its files.
A data directory is rewritten at once, so that the old parts are gone too; a server removes them itself, within about
eight minutes (``old_parts_lifetime``). The caller sees to it that nothing is inserted meanwhile.
"""

import secrets
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple, TypeVar

import msgspec

from pipeline.store.client import Client
from pipeline.store.sql import text
from schemas.erasure import Erasure

T = TypeVar("T")
_CHUNK = 1_000  # names in one statement
_PERSON_COLUMNS = ("visitor_id", "user_id", "person_id")
_OWNERS = "users"  # of a visitor: several
_TABLES = """
SELECT table, groupArray(name) FROM system.columns
WHERE database = currentDatabase() AND endsWith(table, '_rows') GROUP BY table ORDER BY table = 'hits_rows', table
"""  # hits last: they tell whose visitors are, also after a crash in the middle
_VISITORS = """
SELECT visitor_id, groupUniqArrayIf(user_id, user_id != '') AS named, visitor_id IN
    (SELECT visitor_id FROM links_rows FINAL WHERE site = {site:String} AND NOT has(users, {user:String})) AS unlinked
FROM hits_rows WHERE site = {site:String} AND visitor_id IN
    (SELECT visitor_id FROM hits_rows WHERE site = {site:String} AND user_id = {user:String} AND visitor_id != '')
GROUP BY visitor_id
"""
_LETTERS = "SELECT topic, `partition`, `offset`, raw FROM dead_letters_rows WHERE site IN ({site:String}, '')"


class Letter(NamedTuple):
    """Where a dead letter stands."""

    topic: str
    partition: int
    offset: int


def visitors_of(client: Client, site: str, user: str) -> tuple[set[str], set[str]]:
    """The visitors that were this user's alone, and those whom others share: other users, or whoever it is that an
    operator has unlinked from this one.
    """
    found = client.query(_VISITORS, {"site": site, "user": user})
    own = {visitor for visitor, named, unlinked in found if named == [user] and not unlinked}
    return own, {visitor for visitor, *_ in found} - own


def letters_of(client: Client, erasure: Erasure) -> list[Letter]:
    """Dead letters that tell of the person: by their fields, or, where they cannot be read, by the id in quotes."""
    found = client.query(_LETTERS, {"site": erasure.site})
    return [Letter(*place) for *place, raw in found if tells_of(_bytes_of(raw), erasure)]


def tells_of(raw: bytes, erasure: Erasure) -> bool:
    """Is this, which may be no hit at all, about the person? By its ids; where it has none, by an id in quotes."""
    try:
        fields = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        site = fields.get("site")
        if isinstance(site, str) and site != erasure.site:
            return False
        ids = [one if isinstance(one, str) else "" for one in map(fields.get, ("visitor_id", "user_id"))]
        if any(ids):
            return erasure.is_of(*ids)
    text = raw if fields is None else msgspec.json.encode(fields)  # written with our own escapes
    return any(msgspec.json.encode(an_id) in text for an_id in erasure.ids)


def sessions_of(client: Client, erasure: Erasure) -> set[str]:
    """Ids of the person's sessions, those that they had before they were moved included."""
    known: set[str] = set()
    with _Names(erasure) as names:
        for table in ("hits_rows", "sessions_rows"):
            where = names.where(erasure.site, _PERSON_COLUMNS)
            known |= {
                row[0] for row in client.query(f"SELECT DISTINCT session_id FROM {table} WHERE {where}")
            }
    known.discard("")
    moves = client.query(
        "SELECT old_id, session_id FROM session_moves_rows WHERE site = {site:String}", {"site": erasure.site}
    )
    while more := {old for old, new in moves if new in known} - known:
        known |= more
    return known


def erase(client: Client, erasure: Erasure, *, is_embedded: bool) -> dict[str, int]:
    """Remove the person; returns how many rows of which table."""
    letters, sessions = letters_of(client, erasure), sessions_of(client, erasure)
    removed: dict[str, int] = {}
    with _Names(erasure) as names:
        for table, columns in client.query(_TABLES):
            for where in _conditions(table, columns, erasure, names, sessions, letters):
                count = client.query(f"SELECT count() FROM {table} WHERE {where}")[0][0]
                if count:
                    client.command(f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 2")
                    removed[table] = removed.get(table, 0) + count
            if is_embedded and "site" in columns:
                _rewrite(client, table)
    return removed


def _conditions(
    table: str,
    columns: Collection[str],
    erasure: Erasure,
    names: "_Names",
    sessions: Collection[str],
    letters: Collection[Letter],
) -> Iterator[str]:
    if table == "dead_letters_rows":
        for chunk in _chunks(letters):
            places = ", ".join(f"({text(one.topic)}, {one.partition}, {one.offset})" for one in chunk)
            yield f"(topic, `partition`, `offset`) IN ({places})"
        return
    if "site" not in columns:
        return
    persons = [name for name in (*_PERSON_COLUMNS, _OWNERS) if name in columns]
    if persons:
        yield names.where(erasure.site, persons)
    for name in ("session_id", "old_id"):
        if name in columns and table in ("sessions_rows", "session_moves_rows"):
            for ids in _chunks(sessions):
                yield f"site = {text(erasure.site)} AND {name} IN ({', '.join(map(text, ids))})"


class _Names:
    """The person's ids as hashes with a salt of this moment."""

    def __init__(self, erasure: Erasure) -> None:
        self._salt = secrets.token_hex(16)
        self._of = {
            "user_id": erasure.users,
            "visitor_id": erasure.visitors,
            "person_id": erasure.ids,
            _OWNERS: erasure.users,
        }

    def __enter__(self) -> "_Names":
        return self

    def __exit__(self, *_: object) -> None:
        self._salt = ""

    def where(self, site: str, columns: Iterable[str]) -> str:
        """A condition on a table with these columns."""
        parts = [
            f"hasAny({self._hashed(column)}, [{', '.join(map(self._hash, sorted(ids)))}])"
            for column in columns
            if (ids := self._of[column])
        ]
        return f"site = {text(site)} AND ({' OR '.join(parts) or '0'})"

    def _hashed(self, column: str) -> str:
        """The column's ids, one or many, as hashes."""
        every = column if column == _OWNERS else f"[toString({column})]"
        return f"arrayMap(one -> hex(SHA256(concat('{self._salt}', one))), {every})"

    def _hash(self, an_id: str) -> str:
        return f"'{sha256((self._salt + an_id).encode()).hexdigest().upper()}'"


def _rewrite(client: Client, table: str) -> None:
    """Another table of the same parts takes its place: whatever was removed goes with the old one."""
    client.command(f"DROP TABLE IF EXISTS {table}_kept SYNC")
    client.command(f"CREATE TABLE {table}_kept AS {table}")
    parts = "SELECT DISTINCT partition_id FROM system.parts WHERE database = currentDatabase() AND active"
    for (partition,) in client.query(f"{parts} AND table = '{table}'"):
        client.command(f"ALTER TABLE {table}_kept ATTACH PARTITION ID '{partition}' FROM {table}")
    client.look_after_disk()
    client.command(f"EXCHANGE TABLES {table}_kept AND {table}")
    client.command(f"DROP TABLE {table}_kept SYNC")


def _chunks(items: Collection[T]) -> Iterator[list[T]]:
    every = list(items)
    for at in range(0, len(every), _CHUNK):
        yield every[at : at + _CHUNK]


def _bytes_of(raw: str | bytes) -> bytes:
    return raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
