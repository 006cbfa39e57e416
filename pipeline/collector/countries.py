"""The country of an address, from a MaxMind DB file (MMDB) that the operator has: GeoLite2, DB-IP, IP2Location LITE.

Answers are remembered; no address leaves this module. The file is opened once and read by memory map.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import maxminddb

_CACHE_ENTRIES = 65_536

Countries = Callable[[str], str]
"""Address -> ISO 3166 code of two letters; "" when it is not known."""


class CountryFileError(ValueError):
    """The file is missing or no MMDB. For the operator to mend."""


def open_countries(path: Path) -> Countries:
    """The countries of one file."""
    try:
        reader = maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise CountryFileError(
            f"country_database: {path} is no MMDB file that can be read: {error}"
        ) from error

    @lru_cache(maxsize=_CACHE_ENTRIES)
    def country_of(ip: str) -> str:
        try:
            found: Any = reader.get(ip_address(ip))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return ""
        return _code(found)

    return country_of


def nowhere(_ip: str) -> str:
    """Without a file no country is known."""
    return ""


def _code(record: Any) -> str:
    """GeoLite2 and DB-IP nest the code; some files hold it alone."""
    if not isinstance(record, dict):
        return ""
    for name in ("country", "registered_country"):
        inner = record.get(name)
        code = inner.get("iso_code") if isinstance(inner, dict) else inner
        if isinstance(code, str) and len(code) == 2:
            return code.upper()
    code = record.get("country_code")
    return code.upper() if isinstance(code, str) and len(code) == 2 else ""
