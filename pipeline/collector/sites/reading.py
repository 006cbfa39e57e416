"""TOML -> sites. A file holds a table per site, ``[shop]``; in a directory each ``shop.toml`` is the site ``shop``.

Whatever is wrong is a :class:`SitesError` that names file and line. What two sites must not share (a name, a key)
is wrong too.
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from pipeline.choices import allowed
from pipeline.collector.sites.site import Privacy, Site, flaws
from pipeline.core.toml_lines import find_lines, line_of

_Path = tuple[str | int, ...]


class SitesError(Exception):
    """The registry is wrong. Who wrote it has to act: the message says where and what is allowed."""

    def __init__(self, file: Path, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")


def files_of(place: Path) -> list[Path]:
    """The files that make up the registry, in order. :class:`SitesError` if there is no such place."""
    if place.is_dir():
        return sorted(place.glob("*.toml"))
    if not place.exists():
        raise SitesError(place, 1, "there is no such file or directory")
    return [place]


def read_sites(place: Path, models: Collection[str] = ()) -> list[Site]:
    """All sites of a file or a directory, checked one by one and against each other.

    ``models``: names of the stage models that a site may name.
    """
    found: list[tuple[Path, str, Site]] = []
    for file in files_of(place):
        text = _text_of(file)
        tables = _tables(file, text)
        if place.is_dir():
            found.append((file, text, _site(file, text, (), file.stem, tables, models)))
            continue
        for name, table in tables.items():
            found.append((file, text, _site(file, text, (name,), name, table, models)))
    _check_shared(found)
    return [site for _, _, site in found]


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise SitesError(file, 1, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SitesError(file, 1, "is not UTF-8") from error


def _tables(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        line = int(at[1]) if at else text.count("\n") + 1
        raise SitesError(file, line, f"this is not TOML: {error}") from error


def _site(file: Path, text: str, within: _Path, name: str, table: Any, models: Collection[str]) -> Site:
    lines = find_lines(text)
    if not isinstance(table, dict):
        raise SitesError(file, line_of(lines, within), f"[{name}] is expected: a table per site")
    if "name" in table:
        raise SitesError(
            file, line_of(lines, (*within, "name")), "a site's name is that of its table or file"
        )
    try:
        site = msgspec.convert({**table, "name": name}, Site)
    except msgspec.ValidationError as error:
        path, message = _told(str(error))
        raise SitesError(file, line_of(lines, (*within, *path)), message) from error
    for path, message in flaws(site, models):
        raise SitesError(file, line_of(lines, (*within, *path)), message)
    return site


def _told(message: str) -> tuple[_Path, str]:
    """The path that msgspec names, and its message; an unknown field's path is that of the field itself."""
    text, _, place = message.partition(" - at `")
    path: _Path = tuple(re.findall(r"\.(\w+)", place))
    unknown = re.search(r"unknown field `([^`]*)`", text)
    if unknown:
        known = Privacy.__struct_fields__ if path else Site.__struct_fields__
        near = get_close_matches(unknown[1], known, n=1) or [name for name in known if name != "name"]
        return (*path, unknown[1]), f"`{unknown[1]}` is no field; there is {', '.join(near)}"
    choices = allowed(text, Privacy, str(path[-1])) if path[:1] == ("privacy",) else ""
    return path, f"{'.'.join(map(str, path))}: {text}{choices}"


def _check_shared(found: list[tuple[Path, str, Site]]) -> None:
    """A key names one site."""
    owners: dict[tuple[str, str, str], str] = {}
    for file, text, site in found:
        for field, protocol, key in _keys(site):
            owner = owners.setdefault((field, protocol, key), site.name)
            if owner != site.name:
                lines = find_lines(text)
                at: _Path = (field, protocol)
                line = lines.get((site.name, *at)) or line_of(lines, at)
                raise SitesError(file, line, f"{field}.{protocol}: site {owner} has the same key")


def _keys(site: Site) -> Iterator[tuple[str, str, str]]:
    for field in ("keys", "server_keys"):
        for protocol, keys in getattr(site, field).items():
            for key in keys:
                yield field, protocol, key
