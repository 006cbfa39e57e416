"""What a hop remembers of one partition: key -> bytes, in memory; the changelog is a compacted topic.

The transaction that commits a unit of work takes the changes along: of a key that changed several times since the last
transaction only the newest value travels. A deleted key is a tombstone.
"""

from collections.abc import Iterator, MutableMapping

Changes = dict[str, bytes | None]


class KafkaState(MutableMapping[str, bytes]):
    """``data``: what was restored; it belongs to this object from now on."""

    def __init__(self, data: dict[str, bytes]) -> None:
        self._data = data
        self._changes: Changes = {}
        # The abstract class's ``get`` goes through an exception for each key that is not there.
        self.get = self._data.get  # type: ignore[method-assign]

    def __getitem__(self, key: str) -> bytes:
        return self._data[key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self._data[key] = value
        self._changes[key] = value

    def __delitem__(self, key: str) -> None:
        del self._data[key]
        self._changes[key] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def take_changes(self) -> Changes:
        """What has changed since the last call, for the next transaction."""
        changes, self._changes = self._changes, {}
        return changes
