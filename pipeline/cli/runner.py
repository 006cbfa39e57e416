"""What the commands share: settings, and the way to the agents, which are found by entry point since nothing in
``pipeline`` imports them."""

import os
import select
import shutil
import sqlite3
import sys
from importlib.metadata import entry_points
from typing import Any

import click

from pipeline.collector.publisher import Unavailable
from pipeline.core.model_check import ModelError
from pipeline.logs import configure
from pipeline.settings import Settings, SettingsError, load
from pipeline.sources import SourceError
from pipeline.store.errors import StoreError

GROUP = "masir.runners"


class Wrong(click.ClickException):
    """What the person who asked must change."""

    exit_code = 2


def settings_of(**overrides: Any) -> Settings:
    """The settings; options (not None) win. A wrong one ends the command with code 2. From here on log as they say."""
    try:
        settings = load(os.environ, **overrides)
    except SettingsError as error:
        raise Wrong(str(error)) from error
    configure(settings.log_format)
    return settings


def runner(name: str) -> Any:
    """The agents' function of this name."""
    return next(iter(entry_points(group=GROUP, name=name))).load()


def told(error: Exception) -> click.ClickException:
    """A known error as the end of the command: 2 if somebody must change something, 1 if trying again may help.

    Raises a broken pipe of standard output: click ends quietly where the reader, such as ``head``, has had enough.
    """
    if isinstance(error, BrokenPipeError) and _nobody_reads():
        raise error
    ended = click.ClickException("; ".join([_text(error), *getattr(error, "__notes__", ())]))
    may_help = isinstance(error, Unavailable | sqlite3.OperationalError) or getattr(error, "retriable", False)
    ended.exit_code = 1 if may_help else 2
    return ended


def _nobody_reads() -> bool:
    output = select.poll()
    output.register(1, 0)
    return any(state & select.POLLERR for _, state in output.poll(0))


def _text(error: Exception) -> str:
    if isinstance(error, sqlite3.Error):  # names no file: the topics, or state beyond the memory
        return f"in the data directory: {error}"
    if isinstance(error, OSError) and error.strerror:  # without its number
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


KNOWN_ERRORS = (SettingsError, SourceError, StoreError, ModelError, Unavailable, sqlite3.Error, OSError)


def with_broker(settings: Settings) -> Settings:
    """The settings, which must name a broker."""
    if not settings.broker:
        raise Wrong("broker is not set; MASIR_BROKER=kafka://HOST:PORT names it")
    return settings


def without_broker(settings: Settings, instead: str) -> Settings:
    """The settings of a process that does everything: beside workers on one store it would overwrite their rows."""
    if settings.broker:
        raise Wrong(f"broker is set ({settings.broker}), so workers do this: {instead}")
    return settings


def visible(text: str) -> str:
    """What strangers have sent, as it may be shown on a terminal: control characters as escapes."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def program() -> str:
    """How a person can call this program from where they are: by name if the shell finds it, else by path."""
    if shutil.which("masir"):
        return "masir"
    return os.path.relpath(sys.argv[0])


def is_terminal() -> bool:
    """Progress is for people: shown on a terminal, not in a pipe."""
    return sys.stderr.isatty()
