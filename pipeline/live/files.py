"""The page's files, as they lie in the package, and the letters that the journey map brings along."""

from hashlib import blake2b
from importlib.resources import files
from typing import Final

from msgspec import Struct

_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}


class File(Struct, frozen=True):
    """``kind``: its media type. ``tag``: changes with the content."""

    body: bytes
    kind: str
    tag: str


def read_files() -> dict[str, File]:
    """By name."""
    found = {}
    for place in (files("pipeline.live") / "static", files("pipeline.journey.map") / "fonts"):
        for file in place.iterdir():
            kind = _KINDS.get(file.name.rpartition(".")[2])
            if kind:
                body = file.read_bytes()
                found[file.name] = File(body, kind, f'"{blake2b(body, digest_size=8).hexdigest()}"')
    return found
