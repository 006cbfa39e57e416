"""Salts for the names of visitors without ids: one for each UTC day and month, random, gone when it is over.

Kept in files beside the data, so that a restart, or a second collector over the same directory, does not make new
visitors of the old ones. Only the newest of a kind is kept: who was who yesterday cannot be told any more.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pipeline.secret_files import kept

_LENGTHS = {"day": len("2026-11-22"), "month": len("2026-11")}


class SaltSource(Protocol):
    """Whoever knows today's salts."""

    def at(self, now_ms: int) -> tuple[str, str]:
        """(salt of the day, salt of the month)."""


class Salts:
    """``directory`` None: in memory, for as long as the process lives. ``OSError``: it cannot be written."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._known: dict[str, tuple[str, str]] = {}
        self._until_ms = 0

    def at(self, now_ms: int) -> tuple[str, str]:
        """(salt of the day, salt of the month)."""
        if now_ms >= self._until_ms:
            today = datetime.fromtimestamp(now_ms / 1_000, UTC).date().isoformat()
            self._known = {kind: self._renewed(kind, today[:length]) for kind, length in _LENGTHS.items()}
            self._until_ms = (now_ms // 86_400_000 + 1) * 86_400_000
        return self._known["day"][1], self._known["month"][1]

    def _renewed(self, kind: str, period: str) -> tuple[str, str]:
        known = self._known.get(kind)
        if known is not None and known[0] == period:
            return known
        if self._directory is None:
            return period, secrets.token_hex(16)
        path = self._directory / f"salt-{kind}-{period}"
        salt = kept(path, secrets.token_hex(16).encode()).decode()
        for other in self._directory.glob(f"salt-{kind}-*"):
            if other.name < path.name:
                other.unlink(missing_ok=True)
        return period, salt
