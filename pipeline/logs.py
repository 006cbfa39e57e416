"""Log lines of every process: one line each on standard error, text or JSON, without personal data.

JSON: ``time`` (RFC 3339, UTC, ms), ``level``, ``logger``, ``message``, and for an error ``error`` (its type, and what
it says if that is safe) and ``at`` (where it was raised, the innermost first). What an error says is kept only for our
own errors and those of the operating system: others may quote a hit. E-mail addresses, public IP addresses and the
queries of URLs are cut out of every line, should one get that far. What a library says again and again, such as that
nobody answers, is said once a second.
"""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, TextIO

import msgspec

OURS: Final = frozenset(("agents", "pipeline", "schemas"))
MOST_FRAMES: Final = 8
SELDOM_SECONDS: Final = 1.0
MOST_MESSAGES: Final = 1_000  # remembered
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_QUERY = re.compile(r"(\b\w+://[^\s?#'\"]*)[?#][^\s'\"]*")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4})(?![\w.])"
)
_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, omit_defaults=True):
    """What one line says."""

    time: str
    level: str
    logger: str
    message: str
    error: str = ""
    at: list[str] = []


def configure(form: Literal["text", "json"], *, stream: TextIO | None = None) -> None:
    """Log to ``stream`` (standard error), from WARNING on: a pipeline that is well says nothing."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Formatter(form))
    handler.addFilter(Seldom())
    root = logging.getLogger()
    for known in list(root.handlers):
        if isinstance(known.formatter, Formatter):
            root.removeHandler(known)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)


class Seldom(logging.Filter):
    """Lets each message of a library through once a second, whatever is filled into it; ours always."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Is it to be said?"""
        if record.name.partition(".")[0] in OURS:
            return True
        what = record.name, str(record.msg)
        if record.created - self._said.get(what, 0.0) < SELDOM_SECONDS:
            return False
        if len(self._said) >= MOST_MESSAGES:
            self._said.clear()
        self._said[what] = record.created
        return True


class Formatter(logging.Formatter):
    """A record as one line."""

    def __init__(self, form: Literal["text", "json"]) -> None:
        super().__init__()
        self._is_json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        """See the module's docstring."""
        line = line_of(record)
        if self._is_json:
            return _encode(line).decode()
        parts = [f"{line.time} {line.level} {line.logger}: {line.message}"]
        if line.error:
            parts += [line.error, f"at {' < '.join(line.at)}"]
        return " | ".join(parts)


def line_of(record: logging.LogRecord) -> Line:
    """What a record says, cleaned."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    line = Line(at.replace("+00:00", "Z"), record.levelname.lower(), record.name, clean(record.getMessage()))
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        line.error = clean(_said(error))
        line.at = _frames(error)
    return line


def clean(text: str) -> str:
    """One line, without what may tell of a person."""
    text = _EMAIL.sub("<e-mail>", " ".join(text.split()))
    text = _QUERY.sub(r"\1?…", text)
    return _ADDRESS.sub(lambda found: "<address>" if _is_public(found[0]) else found[0], text)


def _is_public(text: str) -> bool:
    try:
        return ip_address(text).is_global
    except ValueError:
        return False


def _said(error: BaseException) -> str:
    kind = type(error)
    is_safe = isinstance(error, OSError) or kind.__module__.partition(".")[0] in OURS
    return f"{kind.__name__}: {error}" if is_safe else kind.__name__


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
