"""Where things stand in a TOML text: the line of every table and key, which tomllib does not tell.

A path is a tuple of keys and list indexes, such as ``("stage", 0, "rule", 2, "event")``. Lines count from 1.
The text must be valid TOML (tomllib has read it). Keys inside inline tables are not listed: their line is
that of the table.
"""

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*\]")
_ENTRY = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")
_PART = re.compile(_KEY)
# Multi-line strings first, or their quotes would be read as empty strings.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}\n]', re.DOTALL
)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each header and each entry with its whole, perhaps many-lined, value."""
    depth, start, line, begun = 0, 0, 1, 1
    for token in _TOKEN.finditer(text):
        word = token[0]
        depth += (word in "[{") - (word in "]}") if len(word) == 1 and word != "\n" else 0
        line += word.count("\n")
        if word == "\n" and depth == 0:
            yield begun, text[start : token.start()]
            start, begun = token.end(), line
    yield begun, text[start:]


def _keys(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]


def find_lines(text: str) -> dict[Path, int]:
    """The line of each path; of a table, that of its header."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()

    def inside(base: Path, keys: list[str]) -> Path:
        for key in keys:
            base = (*base, key)
            if base in counts:
                base = (*base, counts[base] - 1)
        return base

    for line, statement in _statements(text):
        if header := _HEADER.match(statement):
            *parents, last = _keys(header[2])
            table = (*inside((), parents), last)
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table = (*table, counts[table] - 1)
            lines[table] = line
        elif entry := _ENTRY.match(statement):
            lines[(*table, *_keys(entry[1]))] = line
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of the path, or of the nearest thing around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
