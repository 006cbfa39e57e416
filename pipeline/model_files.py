"""Reads stage models from files, since the core does no IO."""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path


def builtin_texts() -> dict[str, str]:
    """The models that ship with Masir: file name -> TOML text."""
    files = (resources.files("schemas") / "models").iterdir()
    return {file.name: file.read_text("utf-8") for file in files if file.name.endswith(".toml")}


def read_texts(files: Iterable[Path]) -> dict[str, str]:
    """The models in these files: path -> TOML text. Raises OSError, UnicodeDecodeError."""
    return {str(file): file.read_text("utf-8") for file in files}
