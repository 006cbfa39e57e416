"""Errors of the store, by who must act. Those of the driver are mapped here and nowhere else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError

_UNAVAILABLE_CODES = frozenset(
    {
        3,  # unexpected end of file
        159,  # timeout exceeded
        164,  # readonly: a replica that lost its keeper
        202,  # too many simultaneous queries
        209,  # socket timeout
        210,  # network error
        241,  # memory limit exceeded
        243,  # not enough space
        252,  # too many parts
        425,  # system error
    }
)
_VERSION_TRAILER = re.compile(r"\s*\(version [^()]*(\([^()]*\))?[^()]*\)\s*$")


class StoreError(Exception):
    """The store said no. Only the children are raised; each says who must act."""

    retriable = False


class QueryError(StoreError):
    """Who asked: the query is wrong, or may not write."""


class StoreUnavailableError(StoreError):
    """The operator: the engine is away, busy or full. Wait and try again; nothing is lost."""

    retriable = True


class StoreLockedError(StoreError):
    """The operator: another process holds the data directory, or this process holds another one."""


class StoreMismatchError(StoreError):
    """The operator: the tables were made by another version of the program than this one can work with."""


class RowsRefusedError(StoreError):
    """Us: rows that do not fit their table."""


@contextmanager
def mapped(refusal: type[StoreError]) -> Iterator[None]:
    """Turn the driver's errors into ours; what the engine refuses becomes ``refusal``."""
    try:
        yield
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        message = _VERSION_TRAILER.sub("", str(error))
        is_readonly_query = code == 164 and refusal is QueryError
        if code is None or (code in _UNAVAILABLE_CODES and not is_readonly_query):
            raise StoreUnavailableError(message) from error
        raise refusal(message) from error
