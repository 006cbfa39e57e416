"""Text of a column -> ms since the epoch, UTC. A time without a zone is UTC. Fractions of a ms are cut off.

Units: ``s ms us ns`` for numbers, ``iso`` for ISO 8601, or a strptime format (it has a ``%``). Without a
unit, digits are ms and anything else is passed on as it is, to be judged as RFC 3339. Errors: ValueError for
a text that is no such time.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pipeline.sources.errors import SourceError

_SHIFT = {"s": 3, "ms": 0, "us": -3, "ns": -6}  # power of ten that makes it ms
_NUMBER = re.compile(r"(\d{1,19})(?:\.(\d*))?\Z", re.ASCII)
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

Converter = Callable[[str], object]


def time_converter(unit: str) -> Converter:
    """The function for ``unit``; :class:`SourceError` when there is no such unit."""
    if unit in _SHIFT:
        return _number_converter(_SHIFT[unit])
    if unit == "iso":
        return lambda text: to_ms(datetime.fromisoformat(text))
    if "%" in unit:
        _check_format(unit)
        return lambda text: to_ms(datetime.strptime(text, unit))  # noqa: DTZ007
    if unit:
        allowed = ", ".join((*_SHIFT, "iso"))
        raise SourceError(f"unknown unit of time '{unit}'; allowed: {allowed}, or a format such as %Y-%m-%d")
    return lambda text: int(text) if text.isascii() and text.isdigit() else text


def to_ms(moment: datetime) -> int:
    """ms since the epoch; a ``moment`` without a zone is taken as UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MS


@lru_cache(maxsize=4_096)
def log_time(text: str) -> int:
    """``17/May/2015:10:05:03 +0000`` -> ms. Not strptime: its month names follow the machine's language."""
    month = _MONTHS.index(text[3:6])
    return to_ms(
        datetime.fromisoformat(f"{text[7:11]}-{month:02}-{text[:2]}T{text[12:20]}{text[21:24]}:{text[24:]}")
    )


def _number_converter(shift: int) -> Converter:
    def convert(text: str) -> int:
        number = _NUMBER.match(text)
        if not number:
            raise ValueError(f"not a number: {text!r}")
        whole, fraction = number.groups(default="")
        return int(whole + fraction[:shift].ljust(shift, "0")) if shift >= 0 else int(whole) // 10**-shift

    return convert


def _check_format(form: str) -> None:
    try:
        datetime.strptime(datetime(2000, 1, 2, tzinfo=UTC).strftime(form), form)  # noqa: DTZ007
    except ValueError as error:
        raise SourceError(f"'{form}' is not a usable time format: {error}") from error
