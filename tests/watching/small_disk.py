"""A disk that is small and can be filled: a tmpfs, mounted for a test. Needs root."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts import missing

BALLAST = "ballast"
CHUNK = b"\0" * 65_536


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[None]:
    """``directory`` is a disk of its own. Where that is not allowed: a failure in CI, else the test is skipped."""
    directory.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"no tmpfs can be mounted (not root?): {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path) -> None:
    """Until not a byte is free."""
    with (directory / BALLAST).open("wb", buffering=0) as file:
        try:
            while file.write(CHUNK) == len(CHUNK):
                pass
        except OSError:
            return


def free(directory: Path) -> None:
    """Give back what :func:`fill` took."""
    (directory / BALLAST).unlink()
