"""Globs on the path of a url: ``*`` stands for any characters (also none, also ``/``); all else for itself.

Upper and lower case differ. The path of a url is what stands between its host and its query or fragment;
``/`` when a url has none, ``""`` when there is no url. Nothing here raises.
"""

import re
from collections.abc import Iterable

# The SQL of `masir verify` uses the same pattern: keep it to what Python and RE2 share.
PATH_PATTERN = r"(?s)^(?:[^/?#:]+://[^/?#]*)?([^?#]*)"

_match_path = re.compile(PATH_PATTERN).match


def path_of(url: str) -> str:
    """The path of an absolute or relative url."""
    found = _match_path(url)
    assert found  # every part of the pattern may be empty
    return found[1] or ("/" if url else "")


def intersect(first: str, second: str) -> bool:
    """Whether some path matches both globs."""
    reach = {(0, 0)}
    seen: set[tuple[int, int]] = set()
    while reach:
        i, j = reach.pop()
        if i == len(first) and j == len(second):
            return True
        if (i, j) in seen:
            continue
        seen.add((i, j))
        star_i = i < len(first) and first[i] == "*"
        star_j = j < len(second) and second[j] == "*"
        if star_i:
            reach.add((i + 1, j))
        if star_j:
            reach.add((i, j + 1))
        if i < len(first) and j < len(second) and (star_i or star_j or first[i] == second[j]):
            reach.add((i + (not star_i), j + (not star_j)))
    return False


def _fits(parts: list[str], path: str) -> bool:
    """Whether the parts between the stars follow each other in the path.

    Each is taken where it comes first, so the time is bounded by the path's length: a regular expression with several
    stars can be made to backtrack for seconds by a url of 2,048 characters.
    """
    first, *middle, last = parts
    at, end = len(first), len(path) - len(last)
    if at > end or not path.startswith(first) or not path.endswith(last):
        return False
    for part in middle:
        at = path.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


class GlobSet:
    """Which of many globs match a path. Prefixes such as ``/blog*`` cost one look-up per distinct length."""

    def __init__(self, globs: Iterable[str]) -> None:
        ordered = sorted(set(globs))
        self._exact = {glob: (glob,) for glob in ordered if "*" not in glob}
        prefixes = [glob for glob in ordered if glob.endswith("*") and "*" not in glob[:-1]]
        self._prefixes = {glob[:-1]: glob for glob in prefixes}
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})
        others = set(ordered) - self._exact.keys() - set(prefixes)
        parts = [glob.split("*") for glob in sorted(others)]
        self._others = [(max(of, key=len), of, glob) for of, glob in zip(parts, sorted(others), strict=True)]

    def matching(self, path: str) -> tuple[str, ...]:
        """The globs that match, in an order that depends on the path alone."""
        prefixes = self._prefixes
        size = len(path)
        found = [prefixes[path[:n]] for n in self._lengths if n <= size and path[:n] in prefixes]
        found += [glob for longest, parts, glob in self._others if longest in path and _fits(parts, path)]
        return self._exact.get(path, ()) + tuple(found)
