"""Secrets that are made once and kept in files which nobody else may read."""

import os
from contextlib import suppress
from pathlib import Path


def kept(path: Path, secret: bytes) -> bytes:
    """The content of the file: ``secret``, or what somebody was first with. It is there whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f".{path.name}.{os.getpid()}")
        mine.touch(0o600)
        mine.write_bytes(secret)
        with suppress(FileExistsError):
            os.link(mine, path)
        mine.unlink()
    return path.read_bytes()
