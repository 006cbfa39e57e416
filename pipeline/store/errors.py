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
        225,  # no keeper
        236,  # aborted: the server is stopping
        241,  # memory limit exceeded
        242,  # table is read-only: a replica that lost its keeper
        243,  # not enough space
        252,  # too many parts
        279,  # all connection tries failed: a shard is away
        285,  # too few live replicas
        319,  # the status of the insert is unknown
        425,  # system error
        439,  # cannot schedule a task
        999,  # keeper exception
        1000,  # an error of a library, mostly of the network
        1001,  # the same
        1002,  # the same
    }
)
_REFUSED_CODES = frozenset(
    {
        81,  # no such database
        192,  # no such user
        193,  # wrong password
        194,  # password required
        497,  # not granted
        516,  # authentication failed
    }
)
_CERTIFICATE = ("CERTIFICATE_VERIFY_FAILED", "certificate required", "WRONG_VERSION_NUMBER")
_PREAMBLE = re.compile(r"^Received ClickHouse exception, code: \d+, server response: |\s*\(for url [^()]*\)$")
_VERSION_TRAILER = re.compile(r"\s*\(version [^()]*(\([^()]*\))?[^()]*\)\s*$")
# What pieces.py puts behind a query.
_PLACE = re.compile(r"\s*INTO OUTFILE '/proc/self/fd/\d+' APPEND FORMAT \w+")


class StoreError(Exception):
    """The store said no. Only the children are raised; each says who must act."""

    retriable = False


class QueryError(StoreError):
    """Who asked: the query is wrong, or may not write."""


class StoreUnavailableError(StoreError):
    """The operator: the engine is away, busy or full. Wait and try again; nothing is lost."""

    retriable = True


class StoreRefusedError(StoreError):
    """The operator: the server does not let us in: user, password, database, rights or certificate are wrong."""


class StoreLockedError(StoreError):
    """The operator: another process holds the data directory, or this process holds another one."""


class StoreMismatchError(StoreError):
    """The operator: the tables were made by another version of the program than this one can work with, or filled from
    other topics.
    """


class RowsRefusedError(StoreError):
    """Us: rows that do not fit their table."""


@contextmanager
def mapped(refusal: type[StoreError], prefix: str = "") -> Iterator[None]:
    """Turn the driver's errors into ours; what the engine refuses becomes ``refusal``. ``prefix``: of the message."""
    try:
        yield
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        message = prefix + _said(error)
        if code in _REFUSED_CODES or (code is None and any(sign in message for sign in _CERTIFICATE)):
            raise StoreRefusedError(message) from error
        is_readonly_query = code == 164 and refusal is QueryError
        if code is None or (code in _UNAVAILABLE_CODES and not is_readonly_query):
            raise StoreUnavailableError(message) from error
        raise refusal(message) from error


def _said(error: ClickHouseError) -> str:
    """What the server said, or what happened on the way to it, without what the driver puts around it."""
    if error.__cause__ is not None:
        said = str(getattr(error.__cause__, "reason", None) or error.__cause__)
    else:
        said = _VERSION_TRAILER.sub("", _PREAMBLE.sub("", str(error)))
    return _PLACE.sub("", said)
